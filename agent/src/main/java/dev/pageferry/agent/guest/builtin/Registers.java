package dev.pageferry.agent.guest.builtin;

import java.util.Arrays;

/**
 * The register file of one vCPU: with RAM, all the state there is. Owned by the vCPU's thread while it runs.
 *
 * <p>{@link #PROGRAM_COUNTER} counts the steps done; the others belong to the guest program.
 */
public final class Registers {
  public static final int COUNT = 8;
  public static final int PROGRAM_COUNTER = 0;
  /** State of the program's random number generator. */
  static final int RANDOM = 1;
  /** Where a program is that counts on from step to step, such as the next page of a sequential writer. */
  static final int CURSOR = 2;
  /** Sequence number of the last journal record that was on the disk at boot. */
  static final int JOURNAL_BASE = 3;
  /** Blocks that a program has written to its disk since boot. */
  static final int BLOCKS_WRITTEN = 4;

  private final long[] values;

  public Registers() {
    this.values = new long[COUNT];
  }

  /** @throws IllegalArgumentException if there are not {@link #COUNT} values or the program counter is negative */
  public Registers(long[] values) {
    if (values.length != COUNT || values[PROGRAM_COUNTER] < 0) {
      throw new IllegalArgumentException("%d registers with program counter %d; expected %d and not negative".formatted(
          values.length, values.length == 0 ? 0 : values[PROGRAM_COUNTER], COUNT));
    }
    this.values = values.clone();
  }

  public long get(int register) {
    return values[register];
  }

  public void set(int register, long value) {
    values[register] = value;
  }

  public long[] toArray() {
    return values.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Registers that && Arrays.equals(values, that.values);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(values);
  }

  @Override
  public String toString() {
    return Arrays.toString(values);
  }
}
