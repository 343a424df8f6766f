/** Pages of the manual, written by the build from what programs say in their help. */
@NullMarked
package dev.pageferry.common.manual;

import org.jspecify.annotations.NullMarked;
