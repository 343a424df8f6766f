/** The host's virtual switch, its uplinks (VXLAN, a real interface) and the announcements of moved VMs. Knows nothing of guests. */
@NullMarked
package dev.pageferry.agent.network;

import org.jspecify.annotations.NullMarked;
