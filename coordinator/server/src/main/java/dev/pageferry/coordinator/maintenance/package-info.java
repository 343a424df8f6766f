/** Planned work: hosts are emptied and filled again, memory is evened out. */
@NullMarked
package dev.pageferry.coordinator.maintenance;

import org.jspecify.annotations.NullMarked;
