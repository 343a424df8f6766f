/** Moves that belong together, as the coordinator keeps them. */
@NullMarked
package dev.pageferry.coordinator.plans;

import org.jspecify.annotations.NullMarked;
