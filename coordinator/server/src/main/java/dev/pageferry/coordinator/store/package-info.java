/** Durable versioned records with compare-and-set. Knows nothing of what they mean. */
@NullMarked
package dev.pageferry.coordinator.store;

import org.jspecify.annotations.NullMarked;
