/** The one conversation of this host with the coordinator's row of a VM, and what its answers allow. Knows no guests. */
@NullMarked
package dev.pageferry.agent.ownership;

import org.jspecify.annotations.NullMarked;
