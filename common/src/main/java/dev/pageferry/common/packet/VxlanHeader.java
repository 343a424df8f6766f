package dev.pageferry.common.packet;

/**
 * The eight bytes before an Ethernet frame in a VXLAN datagram (RFC 7348, section 5):
 *
 * <pre>
 * 0  flags 08: the VNI is valid (1)   1  reserved (3)
 * 4  VNI (3)                          7  reserved (1)
 * </pre>
 *
 * Reserved bits are sent as zero and ignored on receipt, as the RFC asks.
 */
public final class VxlanHeader {
  public static final int BYTES = 8;
  /** The port that IANA has assigned. */
  public static final int PORT = 4789;
  private static final int VNI_IS_VALID = 0x08;
  /** In the second byte: the receiver is not to learn where the frame's sender is (draft-smith-vxlan-group-policy). */
  private static final long DO_NOT_LEARN = 0x40L << 48;

  private VxlanHeader() {
  }

  /** The first eight bytes as a number, to be written in network order. */
  public static long encode(int vni) {
    return (long) VNI_IS_VALID << 56 | (long) vni << 8;
  }

  /** The same for a frame that is passed on for another host. Linux drops it: it refuses flags that it does not know. */
  public static long encodeRelayed(int vni) {
    return encode(vni) | DO_NOT_LEARN;
  }

  /** Whether where the datagram comes from is where the frame's sender is. */
  public static boolean mayBeLearned(long header) {
    return (header & DO_NOT_LEARN) == 0;
  }

  /** @return the VNI, or -1 if the flag that says that there is one is not set */
  public static int vni(long header) {
    return (header >>> 56 & VNI_IS_VALID) == 0 ? -1 : (int) (header >>> 8) & NetworkCard.MAX_VNI;
  }
}
