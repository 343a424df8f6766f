/** Who may run each VM, under which epoch: one row per VM, on which every change of owner is decided. */
@NullMarked
package dev.pageferry.coordinator.ownership;

import org.jspecify.annotations.NullMarked;
