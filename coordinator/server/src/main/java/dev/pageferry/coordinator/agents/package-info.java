/** The port through which the coordinator commands agents. */
@NullMarked
package dev.pageferry.coordinator.agents;

import org.jspecify.annotations.NullMarked;
