package dev.pageferry.agent.network;

import dev.pageferry.common.network.ArpPacket;
import dev.pageferry.common.network.NetworkCard;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/**
 * Tells switches and stations where a VM is now: RARP by which switches learn, gratuitous ARP by which stations do, and a
 * probe that asks other switches to answer. Repeated, since frames get lost: at 0, 50, 200, 450 and 800 ms, growing like
 * QEMU's self-announcement.
 */
final class Announcements {
  static final List<Integer> AT_MILLIS = List.of(0, 50, 200, 450, 800);
  /** Probes are asked for so long that late answers are not taken for another's. */
  private static final int FORGET_AT_MILLIS = 2000;

  private final VirtualSwitch theSwitch;
  private final Runnable flush;
  private final ScheduledExecutorService loop;
  private final SecureRandom random = new SecureRandom();
  private final ConcurrentMap<Long, AtomicInteger> asked = new ConcurrentHashMap<>();

  /**
   * @param flush hands what was sent to the kernel
   * @param loop of the switch
   */
  Announcements(VirtualSwitch theSwitch, Runnable flush, ScheduledExecutorService loop) {
    this.theSwitch = theSwitch;
    this.flush = flush;
    this.loop = loop;
  }

  /**
   * Starts to announce, in the background.
   *
   * @param isOurs whether the VM still is this host's, under the epoch under which it came; asked before every frame, since a
   *     frame that is sent after the VM has moved on would call it back
   * @return counts the switches that have answered
   */
  AtomicInteger start(List<SwitchPort> ports, BooleanSupplier isOurs) {
    AtomicInteger answers = new AtomicInteger();
    for (SwitchPort each : ports) {
      long nonce = random.nextLong();
      asked.put(nonce, answers);
      for (int millis : AT_MILLIS) {
        Runnable announce = () -> announce(each, nonce, millis == 0, isOurs);
        if (millis == 0) {
          loop.execute(announce);
        } else {
          schedule(announce, millis);
        }
      }
      schedule(() -> asked.remove(nonce), FORGET_AT_MILLIS);
    }
    return answers;
  }

  private void schedule(Runnable task, int millis) {
    var unused = loop.schedule(task, millis, TimeUnit.MILLISECONDS);
  }

  private void announce(SwitchPort port, long nonce, boolean isFirst, BooleanSupplier isOurs) {
    NetworkCard card = port.card();
    List<byte[]> frames = isFirst
        ? List.of(ArpPacket.reverse(card.mac()), ArpPacket.gratuitous(card.mac(), card.address()),
            ReachabilityProbe.question(card.mac(), nonce).frame())
        : List.of(ArpPacket.reverse(card.mac()), ArpPacket.gratuitous(card.mac(), card.address()));
    for (byte[] each : frames) {
      if (isOurs.getAsBoolean()) {
        theSwitch.announce(port, each);
      }
    }
    flush.run();
  }

  /** A switch has answered a probe; answers to nobody's question are ignored. */
  void answered(long nonce) {
    AtomicInteger answers = asked.get(nonce);
    if (answers != null) {
      answers.incrementAndGet();
    }
  }
}
