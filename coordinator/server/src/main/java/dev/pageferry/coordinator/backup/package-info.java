/** The records as a file that can be carried away, and such a file in place of the records. */
@NullMarked
package dev.pageferry.coordinator.backup;

import org.jspecify.annotations.NullMarked;
