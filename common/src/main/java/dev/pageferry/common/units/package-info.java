/** Sizes, rates and durations as operators write them. */
@NullMarked
package dev.pageferry.common.units;

import org.jspecify.annotations.NullMarked;
