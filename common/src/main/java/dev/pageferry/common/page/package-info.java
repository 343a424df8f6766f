/** Page numbers and sizes of guest memory. Knows nothing of where the bytes lie. */
@NullMarked
package dev.pageferry.common.page;

import org.jspecify.annotations.NullMarked;
