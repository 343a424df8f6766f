/** The hosts: who they are, whether they live, what they have. */
@NullMarked
package dev.pageferry.coordinator.inventory;

import org.jspecify.annotations.NullMarked;
