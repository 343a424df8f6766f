/** The host agent: wiring. Uses all packages and is used by none. */
@NullMarked
package dev.pageferry.agent;

import org.jspecify.annotations.NullMarked;
