package dev.pageferry.agent.network;

import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.MacAddress;
import java.nio.ByteBuffer;
import java.util.Optional;

/**
 * Asks all switches to send a frame to the address of a VM that has just moved; an answer proves that frames for it come to
 * its new host. Our own format, under IEEE's local experimental EtherType 88B5; stations that do not know it ignore it:
 *
 * <pre>
 *  0  destination: all, or the VM's MAC in an answer (6)
 *  6  source: the VM's MAC, or the answering switch's in an answer (6)
 * 12  88B5 (2)
 * 14  "PFRP" (4)
 * 18  01 a question, 02 an answer (1)
 * 19  reserved, zero (1)
 * 20  nonce (8)
 * 28  zero padding to 60 bytes
 * </pre>
 */
record ReachabilityProbe(boolean isQuestion, MacAddress sender, MacAddress receiver, long nonce) {
  private static final int MAGIC = EthernetFrame.HEADER_BYTES;
  private static final int KIND = MAGIC + 4;
  private static final int NONCE = KIND + 2;
  private static final int END = NONCE + 8;
  private static final int MAGIC_PFRP = 0x50465250;
  private static final byte QUESTION = 1;
  private static final byte ANSWER = 2;

  /** The probe in a frame of that EtherType; empty if it is something else. */
  static Optional<ReachabilityProbe> of(byte[] frame) {
    ByteBuffer bytes = ByteBuffer.wrap(frame);
    if (frame.length < END || bytes.getInt(MAGIC) != MAGIC_PFRP
        || (frame[KIND] != QUESTION && frame[KIND] != ANSWER)) {
      return Optional.empty();
    }
    return Optional.of(new ReachabilityProbe(frame[KIND] == QUESTION, EthernetFrame.source(frame),
        EthernetFrame.destination(frame), bytes.getLong(NONCE)));
  }

  static ReachabilityProbe question(MacAddress vm, long nonce) {
    return new ReachabilityProbe(true, vm, MacAddress.BROADCAST, nonce);
  }

  ReachabilityProbe answer(MacAddress answering) {
    return new ReachabilityProbe(false, answering, sender, nonce);
  }

  byte[] frame() {
    byte[] frame = new byte[EthernetFrame.MIN_WIRE_BYTES];
    EthernetFrame.putHeader(frame, receiver, sender, EthernetFrame.TYPE_LOCAL_EXPERIMENT);
    ByteBuffer.wrap(frame).putInt(MAGIC, MAGIC_PFRP).put(KIND, isQuestion ? QUESTION : ANSWER).putLong(NONCE, nonce);
    return frame;
  }
}
