/** What happened in the cluster, to be read as a story: seen from rows, heartbeats and documents, and decided by nobody. */
@NullMarked
package dev.pageferry.coordinator.events;

import org.jspecify.annotations.NullMarked;
