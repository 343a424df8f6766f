/** What happened in the cluster, to be read as a story: seen from rows, heartbeats and documents. No decision depends on it. */
@NullMarked
package dev.pageferry.coordinator.events;

import org.jspecify.annotations.NullMarked;
