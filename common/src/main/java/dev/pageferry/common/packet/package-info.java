/** Addresses and packets as they are on the wire: Ethernet, ARP, IPv4, ICMP, UDP, VXLAN. Knows no sockets. */
@NullMarked
package dev.pageferry.common.packet;

import org.jspecify.annotations.NullMarked;
