/** Machines of QEMU: processes beside this one, whose RAM is a file that both map. Knows nothing of migration between hosts. */
@NullMarked
package dev.pageferry.agent.guest.qemu;

import org.jspecify.annotations.NullMarked;
