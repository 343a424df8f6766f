/** What the version before wrote is read today, and what is written today that version can read. */
@NullMarked
package dev.pageferry.coordinator.previous;

import org.jspecify.annotations.NullMarked;
