package dev.pageferry.coordinator.placement;

import dev.pageferry.common.units.ByteSize;

/** Why a host cannot take a VM. Made into text only where somebody reads it. */
public sealed interface Obstacle {
  /** For a line that begins with the host. */
  String text();

  /** The host can take nothing at all. */
  record NotUsable(String reason) implements Obstacle {
    @Override
    public String text() {
      return reason;
    }
  }

  /** @param has empty: it has no shared storage */
  record OtherStorage(String needed, String has) implements Obstacle {
    @Override
    public String text() {
      return has.isEmpty()
          ? "it has no shared storage, and what the VM has is on %s".formatted(needed)
          : "it has other storage (%s) than what the VM has is on (%s)".formatted(has, needed);
    }
  }

  /** The host was asked, and said no. */
  record Refused(String reason) implements Obstacle {
    @Override
    public String text() {
      return reason;
    }
  }

  /** A VM that this one is to be apart from is there, or placed there before it. */
  record NotApart(String group, String other) implements Obstacle {
    @Override
    public String text() {
      return "VM %s of group %s is there".formatted(other, group);
    }
  }

  /**
   * There is too little memory.
   *
   * @param freeBytes what is left of it
   * @param promisedBytes what VMs that were placed before were promised of what is free
   */
  record TooLittleMemory(long neededBytes, long freeBytes, long promisedBytes) implements Obstacle {
    @Override
    public String text() {
      String promised = promisedBytes == 0
          ? ""
          : " (%s are promised to VMs that come before)".formatted(ByteSize.format(promisedBytes));
      return "it has %s free%s, and the VM needs %s".formatted(ByteSize.format(freeBytes), promised,
          ByteSize.format(neededBytes));
    }
  }
}
