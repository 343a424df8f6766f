/** VMs that the coordinator has built on this host. */
@NullMarked
package dev.pageferry.agent.hosting;

import org.jspecify.annotations.NullMarked;
