package dev.pageferry.agent.migration;

import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;

/** How a VM's contents come to the other host. */
public sealed interface Manner {
  /**
   * Memory over data streams while the guest runs.
   *
   * @param copiesDisks whether the disks' blocks go with the memory; if not, they are on storage that both hosts reach
   */
  record Live(boolean copiesDisks) implements Manner {
  }

  /**
   * Memory through a file on storage that both hosts reach, while the guest is paused.
   *
   * @param packing of the file; the destination reads whatever comes
   */
  record Quick(Packing packing) implements Manner {
  }
}
