/** The few calls of the operating system that the JDK does not offer. Knows nothing of guests. */
@NullMarked
package dev.pageferry.agent.os;

import org.jspecify.annotations.NullMarked;
