/** Supervises migrations from the operator's request to the final report, across the coordinator's own restarts. */
@NullMarked
package dev.pageferry.coordinator.migration;

import org.jspecify.annotations.NullMarked;
