package dev.pageferry.agent.guest.qemu;

import java.util.Optional;

/** Who tells which pages of a machine are written while it moves. */
public enum WrittenPagesFrom {
  /** The kernel, where that was tested. */
  AUTO,
  /** The kernel, wherever it can. */
  KERNEL,
  /** QEMU, in its migration stream. */
  STREAM;

  /** @throws IllegalArgumentException if it is none of them */
  public static WrittenPagesFrom parse(String text) {
    return switch (text) {
      case "auto" -> AUTO;
      case "kernel" -> KERNEL;
      case "stream" -> STREAM;
      default -> throw new IllegalArgumentException("'%s' is neither auto, kernel nor stream".formatted(text));
    };
  }

  /** Why it is not the kernel. */
  Optional<String> reasonAgainstKernel(QemuSpec spec) {
    if (this == STREAM) {
      return Optional.of("this agent was started with --written-pages stream");
    }
    if (this == AUTO && spec.accelerator() == Accelerator.KVM) {
      return Optional.of("that is not tested under KVM; --written-pages kernel has it so");
    }
    if (!spec.arguments().isEmpty()) {
      // A program of vhost-user, for one.
      return Optional.of("what was added with --qemu-arg may have others write to its memory");
    }
    return Optional.empty();
  }
}
