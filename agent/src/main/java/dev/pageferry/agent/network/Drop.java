package dev.pageferry.agent.network;

/** Why a frame went no further. */
public enum Drop {
  /** A datagram that is no VXLAN. */
  MALFORMED_DATAGRAM,
  /** Too short, too long, tagged, or with a sender that no station can be. */
  MALFORMED_FRAME,
  /** A datagram from an address that nobody told us of. */
  UNKNOWN_SENDER,
  /** A sender that is not on the network that it names. */
  FOREIGN_NETWORK,
  /** A VM sent with an address that is not its card's. */
  SPOOFED,
  /** A VM sent before its card was activated, after it had moved, or while its host may run nobody. */
  SILENT,
  /** Somebody else sends with the address of a VM that is here. */
  ADDRESS_CLAIMED,
  /** For an address, or a network, that is not on this host. */
  NOT_HERE,
  /** The VM does not take frames as fast as they come, or is paused. */
  CARD_FULL,
  /** Held for a VM for too long. */
  HELD_TOO_LONG,
  /** Held for a VM that went to a host whose tunnel end is not known. */
  LEFT_BEHIND,
  /** A VM sends faster than the switch forwards. */
  PORT_FULL,
  /** The uplink's socket takes no more. */
  UPLINK_FULL,
  /** The switch could not deal with it. */
  FAILED
}
