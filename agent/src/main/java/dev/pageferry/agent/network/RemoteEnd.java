package dev.pageferry.agent.network;

/** Where an uplink can send a frame to one receiver: a tunnel's other end, or the wire of a real interface. */
sealed interface RemoteEnd permits TunnelEnd, PacketUplink.Wire {
}
