/** The built-in machine: vCPUs, registers, programs, network cards, and the twin that proves a move. Knows nothing of migration. */
@NullMarked
package dev.pageferry.agent.guest.builtin;

import org.jspecify.annotations.NullMarked;
