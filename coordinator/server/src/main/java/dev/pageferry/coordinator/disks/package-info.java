/**
 * Disks as operators see them: which there are, and which VM has them. What exists is known by the storage alone, who has it
 * by the VMs' rows alone; nothing is kept here.
 */
@NullMarked
package dev.pageferry.coordinator.disks;

import org.jspecify.annotations.NullMarked;
