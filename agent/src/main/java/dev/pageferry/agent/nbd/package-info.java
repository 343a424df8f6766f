/**
 * Serves disks to a hypervisor on this host, over the Network Block Device protocol. It knows a disk as a {@code BlockDevice}; who
 * may use it, and when, is behind that.
 */
@NullMarked
package dev.pageferry.agent.nbd;

import org.jspecify.annotations.NullMarked;
