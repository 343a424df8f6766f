/**
 * That one agent of a host lives on this machine at a time, and which of them have ended. Knows nothing of what an agent does.
 */
@NullMarked
package dev.pageferry.agent.incarnation;

import org.jspecify.annotations.NullMarked;
