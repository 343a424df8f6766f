package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.GuestState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** The state of a paused guest beside its RAM: the register file of every vCPU. */
public record MachineState(List<Registers> vcpus) {
  /** How states of this machine are called where they travel. */
  static final String KIND = "builtin";
  static final int VERSION = 1;
  private static final int VCPU_BYTES = Registers.COUNT * Long.BYTES;

  public MachineState {
    vcpus = List.copyOf(vcpus);
  }

  /**
   * From what another host, or a file, says.
   *
   * @throws IllegalArgumentException if it is not a state of this machine
   */
  public static MachineState of(GuestState state) {
    if (!state.kind().equals(KIND) || state.version() != VERSION || state.blob().length % VCPU_BYTES != 0) {
      throw new IllegalArgumentException("state of kind '%s' version %d, %d bytes; expected '%s' version %d".formatted(
          state.kind(), state.version(), state.blob().length, KIND, VERSION));
    }
    ByteBuffer bytes = ByteBuffer.wrap(state.blob()).order(ByteOrder.LITTLE_ENDIAN);
    List<Registers> vcpus = new ArrayList<>();
    while (bytes.hasRemaining()) {
      long[] values = new long[Registers.COUNT];
      for (int i = 0; i < values.length; i++) {
        values[i] = bytes.getLong();
      }
      vcpus.add(new Registers(values));
    }
    return new MachineState(vcpus);
  }

  public GuestState toGuestState() {
    return new GuestState(KIND, VERSION, bytes());
  }

  /** Steps done by all vCPUs. */
  public long steps() {
    return vcpus.stream().mapToLong(each -> each.get(Registers.PROGRAM_COUNTER)).sum();
  }

  /** SHA-256, lower-case hex, of all registers in vCPU order, each eight bytes little-endian. */
  public String digest() {
    return HexFormat.of().formatHex(sha256().digest(bytes()));
  }

  private byte[] bytes() {
    ByteBuffer bytes = ByteBuffer.allocate(vcpus.size() * VCPU_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (Registers each : vcpus) {
      for (long value : each.toArray()) {
        bytes.putLong(value);
      }
    }
    return bytes.array();
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
