/**
 * Pings and what they count.
 */
@NullMarked
package dev.pageferry.ferry.ping;

import org.jspecify.annotations.NullMarked;
