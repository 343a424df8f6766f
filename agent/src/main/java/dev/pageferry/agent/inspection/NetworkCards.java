package dev.pageferry.agent.inspection;

import dev.pageferry.proto.agent.v1.NetworkCardFacts;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.nio.file.Files;
import java.nio.file.Path;

/** The cards of this machine that its addresses are on. */
final class NetworkCards {
  private static final Path CARDS = Path.of("/sys/class/net");

  private NetworkCards() {
  }

  /** The card that has an address; without a name if none has. */
  static NetworkCardFacts of(String address) {
    NetworkCardFacts.Builder facts = NetworkCardFacts.newBuilder().setAddress(address);
    try {
      NetworkInterface card = NetworkInterface.getByInetAddress(InetAddress.getByName(address));
      if (card == null) {
        return facts.build();
      }
      return facts.setInterface(card.getName()).setMtu(card.getMTU()).setLoopback(card.isLoopback())
          .setMegabitsPerSecond(megabits(card.getName())).build();
    } catch (IOException e) {
      return facts.build();
    }
  }

  /** What the kernel says of its speed; 0: nothing, or it is a virtual one, of which it says what was never measured. */
  private static long megabits(String card) {
    if (!Files.exists(CARDS.resolve(card).resolve("device"))) {
      return 0;
    }
    try {
      return Math.max(0, Long.parseLong(Files.readString(CARDS.resolve(card).resolve("speed")).strip()));
    } catch (IOException | NumberFormatException e) {
      return 0;
    }
  }
}
