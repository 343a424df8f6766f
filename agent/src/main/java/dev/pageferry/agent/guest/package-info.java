/** The built-in guest: virtual machines, vCPUs, registers, programs, and the twin that proves a move. Knows nothing of migration. */
@NullMarked
package dev.pageferry.agent.guest;

import org.jspecify.annotations.NullMarked;
