/** Files that show whether they are whole. */
@NullMarked
package dev.pageferry.common.backup;

import org.jspecify.annotations.NullMarked;
