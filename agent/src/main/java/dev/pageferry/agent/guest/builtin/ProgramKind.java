package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.DiskDescription;
import java.util.List;
import java.util.Map;

/**
 * A guest program on offer, without state: its name, its arguments and their defaults, what it needs of a VM, and the programs of
 * vCPUs that it makes. It is nested in the class of those. {@link Programs} lists all.
 */
interface ProgramKind {
  /** As operators write it. */
  String name();

  /** What it takes beside the arguments of every program ({@link ProgramSpec}). */
  default List<Argument<?>> arguments() {
    return List.of();
  }

  /** The rate where none is given. */
  default String defaultRate() {
    return "100MB/s";
  }

  /**
   * The working set where none is given.
   *
   * @param memoryBytes RAM of the VM
   * @return at most that
   */
  default long defaultWorkingSetBytes(long memoryBytes) {
    return memoryBytes;
  }

  /**
   * Refuses disks with which it cannot do its work.
   *
   * @param given its arguments
   * @param vcpus of the VM
   * @throws IllegalArgumentException naming what is missing
   */
  default void verifyDisks(Map<String, String> given, List<DiskDescription> disks, int vcpus) {
  }

  /**
   * The program of one vCPU.
   *
   * @param given its arguments, each of which was parsed before
   * @param disks of the VM, which {@link #verifyDisks} found right
   */
  GuestProgram program(VcpuPart part, Map<String, String> given, List<DiskDescription> disks);

  /**
   * Refuses registers with which a vCPU's program would do what no such program does: they may come from another host.
   *
   * @throws IllegalArgumentException naming the register
   */
  default void verify(VcpuPart part, Registers registers) {
  }
}
