package dev.pageferry.common.packet;

/**
 * Ethernet II frames without their check sequence, as bytes in network order:
 *
 * <pre>
 *  0  destination (6)
 *  6  source (6)
 * 12  EtherType (2)
 * 14  payload
 * </pre>
 */
public final class EthernetFrame {
  public static final int DESTINATION = 0;
  public static final int SOURCE = DESTINATION + MacAddress.BYTES;
  public static final int TYPE = SOURCE + MacAddress.BYTES;
  public static final int HEADER_BYTES = TYPE + 2;
  /** Shorter frames are padded with zeros before they go onto a real wire. */
  public static final int MIN_WIRE_BYTES = 60;
  /** With a payload of 1500 bytes, the most on ordinary Ethernet. */
  public static final int MAX_BYTES = HEADER_BYTES + 1500;

  public static final int TYPE_IPV4 = 0x0800;
  public static final int TYPE_ARP = 0x0806;
  public static final int TYPE_VLAN = 0x8100;
  public static final int TYPE_RARP = 0x8035;
  /** IEEE 802 local experimental EtherType 1. */
  public static final int TYPE_LOCAL_EXPERIMENT = 0x88B5;
  /** Smaller numbers are lengths of IEEE 802.3 frames. */
  private static final int LOWEST_TYPE = 0x0600;

  private EthernetFrame() {
  }

  /** A frame of zeros with its header filled in. */
  public static byte[] of(MacAddress destination, MacAddress source, int type, int payloadBytes) {
    byte[] frame = new byte[HEADER_BYTES + payloadBytes];
    putHeader(frame, destination, source, type);
    return frame;
  }

  public static void putHeader(byte[] frame, MacAddress destination, MacAddress source, int type) {
    destination.put(frame, DESTINATION);
    source.put(frame, SOURCE);
    Bytes.putU16(frame, TYPE, type);
  }

  public static MacAddress destination(byte[] frame) {
    return MacAddress.at(frame, DESTINATION);
  }

  public static MacAddress source(byte[] frame) {
    return MacAddress.at(frame, SOURCE);
  }

  public static int type(byte[] frame) {
    return Bytes.u16(frame, TYPE);
  }

  /** Whether a switch may forward these bytes, by their length, sender and type. */
  public static boolean isWellFormed(byte[] frame) {
    return frame.length >= HEADER_BYTES && frame.length <= MAX_BYTES && source(frame).isStation()
        && type(frame) >= LOWEST_TYPE && type(frame) != TYPE_VLAN;
  }
}
