/** Who is on the networks of VMs: the ends of VXLAN tunnels that hosts are told of. Carries no frame. */
@NullMarked
package dev.pageferry.coordinator.network;

import org.jspecify.annotations.NullMarked;
