/**
 * Operators' requests: why one cannot be done, in terms that every part of the coordinator shares, and which were made, so
 * that one that is repeated is not done twice. Knows nothing of what they ask for.
 */
@NullMarked
package dev.pageferry.coordinator.request;

import org.jspecify.annotations.NullMarked;
