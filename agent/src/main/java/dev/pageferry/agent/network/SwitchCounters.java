package dev.pageferry.agent.network;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What the switch of a host has done since the start. Any thread counts and reads. */
public final class SwitchCounters {
  private final LongAdder forwarded = new LongAdder();
  private final LongAdder flooded = new LongAdder();
  private final LongAdder relayed = new LongAdder();
  private final Map<Drop, LongAdder> drops = new EnumMap<>(Drop.class);

  public SwitchCounters() {
    for (Drop each : Drop.values()) {
      drops.put(each, new LongAdder());
    }
  }

  void forward() {
    forwarded.increment();
  }

  void flood() {
    flooded.increment();
  }

  void relay() {
    relayed.increment();
  }

  void drop(Drop reason) {
    of(reason).increment();
  }

  /** Frames that went to one receiver. */
  public long forwarded() {
    return forwarded.sum();
  }

  /** Frames that went to all of a network. */
  public long flooded() {
    return flooded.sum();
  }

  /** Frames passed on to the host that a VM has moved to. */
  public long relayed() {
    return relayed.sum();
  }

  /** Frames dropped for that reason. */
  public long dropped(Drop reason) {
    return of(reason).sum();
  }

  private LongAdder of(Drop reason) {
    LongAdder adder = drops.get(reason);
    if (adder == null) {
      throw new AssertionError("the constructor put one for each reason");
    }
    return adder;
  }
}
