/** Whether the records are the newest that there ever were. Knows nothing of what they say. */
@NullMarked
package dev.pageferry.coordinator.history;

import org.jspecify.annotations.NullMarked;
