/** What went wrong, in words for operators. */
@NullMarked
package dev.pageferry.common.failure;

import org.jspecify.annotations.NullMarked;
