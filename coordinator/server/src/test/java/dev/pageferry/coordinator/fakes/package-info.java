/** Hosts that a test plays, and a coordinator's parts put together around them. */
@NullMarked
package dev.pageferry.coordinator.fakes;

import org.jspecify.annotations.NullMarked;
