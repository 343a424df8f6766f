package dev.pageferry.agent.network;

/** How frames leave this host. Used by the switch's loop only; sending never blocks, a frame may be lost. */
interface Uplink {
  /** Whether the receiver of a frame is to learn where its sender is. */
  enum Learning {
    ALLOWED,
    /** The frame is passed on for another host. */
    FORBIDDEN
  }

  void send(RemoteEnd end, int vni, byte[] frame, Learning learning);

  /** Sends to everybody who is on the network. */
  void flood(int vni, byte[] frame);
}
