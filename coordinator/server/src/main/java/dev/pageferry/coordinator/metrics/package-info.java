/** Micrometer meters of the coordinator. */
@NullMarked
package dev.pageferry.coordinator.metrics;

import org.jspecify.annotations.NullMarked;
