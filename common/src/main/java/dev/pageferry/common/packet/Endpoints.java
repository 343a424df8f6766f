package dev.pageferry.common.packet;

/** Who sends a packet to whom on one Ethernet. */
public record Endpoints(MacAddress sourceMac, Ipv4Address source, MacAddress destinationMac, Ipv4Address destination) {
}
