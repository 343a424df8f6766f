package dev.pageferry.agent.guest.qemu;

/** What carries out a machine's instructions. A guest sees other processors under each, so it keeps the one that it has. */
enum Accelerator {
  /** QEMU's software emulation. */
  TCG("tcg"),
  /** The kernel's, on processors that can virtualize. */
  KVM("kvm");

  /** In place of one, where the host is to choose. */
  static final String AUTO = "auto";

  private final String option;

  Accelerator(String option) {
    this.option = option;
  }

  /**
   * From a message, where nothing stands for emulation.
   *
   * @throws IllegalArgumentException if it is neither
   */
  static Accelerator of(String text) {
    return switch (text) {
      case "", "tcg" -> TCG;
      case "kvm" -> KVM;
      default -> throw new IllegalArgumentException("accelerator '%s' is neither kvm nor tcg".formatted(text));
    };
  }

  /** For a message: unset where a version that knows no accelerators does the same. */
  String toMessage() {
    return this == TCG ? "" : option;
  }

  /** As {@code -accel} has it. */
  String option() {
    return option;
  }
}
