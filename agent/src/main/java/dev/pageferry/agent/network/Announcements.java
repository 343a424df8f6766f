package dev.pageferry.agent.network;

import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Tells switches and stations where a VM is now: RARP by which switches learn, gratuitous ARP by which stations do, and a
 * probe that asks other switches to answer. Repeated, since frames get lost: at 0, 50, 200, 450 and 800 ms, growing like
 * QEMU's self-announcement.
 */
final class Announcements {
  static final List<Integer> AT_MILLIS = List.of(0, 50, 200, 450, 800);
  /** Twice: a question may get lost, too. */
  private static final int ASK_UNTIL_MILLIS = 50;
  /** More switches than a cluster has. */
  private static final int MAX_ANSWERS = 1024;
  /** Probes are asked for so long that late answers are not taken for another's. */
  private static final int FORGET_AT_MILLIS = 2000;

  private final VirtualSwitch theSwitch;
  private final Runnable flush;
  private final ScheduledExecutorService loop;
  private final SecureRandom random = new SecureRandom();
  private final ConcurrentMap<Long, Set<MacAddress>> asked = new ConcurrentHashMap<>();

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
   * @return the switches that have answered; grows
   */
  Set<MacAddress> start(List<SwitchPort> ports, BooleanSupplier isOurs) {
    Set<MacAddress> answers = ConcurrentHashMap.newKeySet();
    for (SwitchPort each : ports) {
      long nonce = random.nextLong();
      asked.put(nonce, answers);
      for (int millis : AT_MILLIS) {
        Runnable announce = () -> announce(each, nonce, millis, isOurs);
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
    var _ = loop.schedule(task, millis, TimeUnit.MILLISECONDS);
  }

  private void announce(SwitchPort port, long nonce, int millis, BooleanSupplier isOurs) {
    NetworkCard card = port.card();
    List<byte[]> frames = new ArrayList<>();
    frames.add(ArpPacket.reverse(card.mac()));
    if (port.tellsAddress()) {
      frames.add(ArpPacket.gratuitous(card.mac(), card.address()));
    }
    if (millis <= ASK_UNTIL_MILLIS) {
      frames.add(ReachabilityProbe.question(card.mac(), nonce).frame());
    }
    for (byte[] each : frames) {
      if (isOurs.getAsBoolean()) {
        theSwitch.announce(port, each);
      }
    }
    flush.run();
  }

  /** A switch has answered a probe; answers to nobody's question are ignored. */
  void answered(ReachabilityProbe answer) {
    Set<MacAddress> answers = asked.get(answer.nonce());
    if (answers != null && answers.size() < MAX_ANSWERS) {
      answers.add(answer.sender());
    }
  }
}
