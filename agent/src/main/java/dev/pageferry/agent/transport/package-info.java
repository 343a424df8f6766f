/** Netty behind the migration's links: sockets, event loops, keep-alive. The only package that knows Netty channels. */
@NullMarked
package dev.pageferry.agent.transport;

import org.jspecify.annotations.NullMarked;
