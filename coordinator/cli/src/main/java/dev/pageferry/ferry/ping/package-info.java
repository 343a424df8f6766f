/**
 * Pings a VM as a client on its network would, and counts what came of it.
 */
@NullMarked
package dev.pageferry.ferry.ping;

import org.jspecify.annotations.NullMarked;
