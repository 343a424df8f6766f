/** The life of VMs apart from migration: create, start, stop, delete, and what state they are in. */
@NullMarked
package dev.pageferry.coordinator.machines;

import org.jspecify.annotations.NullMarked;
