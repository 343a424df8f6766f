/** Time as the programs see it: injectable, monotonic, bounded waits. */
@NullMarked
package dev.pageferry.common.time;

import org.jspecify.annotations.NullMarked;
