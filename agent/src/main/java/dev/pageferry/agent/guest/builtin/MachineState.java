package dev.pageferry.agent.guest.builtin;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/** The state of a paused guest beside its RAM: the register file of every vCPU. */
public record MachineState(List<Registers> vcpus) {
  public MachineState {
    vcpus = List.copyOf(vcpus);
  }

  /** Steps done by all vCPUs. */
  public long steps() {
    return vcpus.stream().mapToLong(each -> each.get(Registers.PROGRAM_COUNTER)).sum();
  }

  /** SHA-256, lower-case hex, of all registers in vCPU order, each eight bytes little-endian. */
  public String digest() {
    ByteBuffer bytes = ByteBuffer.allocate(vcpus.size() * Registers.COUNT * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (Registers each : vcpus) {
      for (long value : each.toArray()) {
        bytes.putLong(value);
      }
    }
    return HexFormat.of().formatHex(sha256().digest(bytes.array()));
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
