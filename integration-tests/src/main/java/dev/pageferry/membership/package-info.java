/** Certificates of clusters that tests and benchmarks start, as an operator makes them with {@code ferry cert}. */
@NullMarked
package dev.pageferry.membership;

import org.jspecify.annotations.NullMarked;
