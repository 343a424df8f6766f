package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.GuestBuilder;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Builds VMs of the built-in guest. */
public final class VmFactory implements GuestBuilder {
  private final HostMemory memory;
  private final GuestDisks disks;
  private final Optional<HostNetwork> network;
  private final Ticker ticker;

  public VmFactory(HostMemory memory, GuestDisks disks, Optional<HostNetwork> network, Ticker ticker) {
    this.memory = memory;
    this.disks = disks;
    this.network = network;
    this.ticker = ticker;
  }

  /** For VMs without network cards. */
  public VmFactory(HostMemory memory, GuestDisks disks, Ticker ticker) {
    this(memory, disks, Optional.empty(), ticker);
  }

  /**
   * Whether a VM can be built here.
   *
   * @throws IOException if its image or one of its disks is not here
   */
  public void check(VmSpec spec) throws IOException {
    MemoryFill.checkImage(spec);
    disks.check(spec);
  }

  /**
   * Fills a skeleton's memory, opens its disks and gives it its vCPUs at step 0, paused until it has leave to run. Its spec
   * carries the image's SHA-256 from then on where there is an image.
   *
   * @param forceDisks whether to take disks whose last holder is not known to have let go
   * @param reasons why it stays paused then
   * @throws IOException if the image cannot be loaded or a disk cannot be opened
   * @throws IllegalStateException if it was closed meanwhile
   */
  public void bringUp(VirtualMachine vm, OwnershipEpoch epoch, boolean forceDisks, Set<PauseReason> reasons)
      throws IOException, InterruptedException {
    // It may be closed meanwhile, and its memory given back.
    vm.ram().borrow();
    try {
      MemoryFill.fill(vm.spec(), vm.ram(), vm.dirtyLog().everWritten()).ifPresent(vm::recordImageSha256);
    } finally {
      vm.ram().giveBack();
    }
    disks.open(vm, DiskClaim.afterSilence(vm.spec().id().value(), epoch.value(), forceDisks));
    vm.load(VirtualMachine.bootState(vm.spec(), vm.disks().map(DiskSet::devices).orElse(List.of())), reasons);
  }

  @Override
  public VirtualMachine skeleton(VmSpec spec) throws OutOfMemoryException, InterruptedException {
    return VirtualMachine.skeleton(spec, memory, network, disks.permit(), ticker);
  }
}
