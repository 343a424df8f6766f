package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.disk.DiskSet;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

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
   * A VM at step 0 with its memory filled, held by the operator's pause.
   *
   * @param forceDisks whether to take disks whose last holder is not known to have let go
   * @return the VM; its spec carries the image's SHA-256 where there is an image
   * @throws IOException if the image cannot be loaded or a disk cannot be opened
   */
  public VirtualMachine boot(VmSpec spec, OwnershipEpoch epoch, boolean forceDisks)
      throws IOException, OutOfMemoryException, InterruptedException {
    MemoryFill.checkImage(spec);
    disks.check(spec);
    VirtualMachine vm = VirtualMachine.skeleton(spec, memory, network, disks.permit(), ticker);
    try {
      MemoryFill.fill(spec, vm.ram(), vm.dirtyLog().everWritten()).ifPresent(vm::recordImageSha256);
      disks.open(vm, DiskClaim.afterSilence(spec.id().value(), epoch.value(), forceDisks));
      vm.load(VirtualMachine.bootState(vm.spec(), vm.disks().map(DiskSet::devices).orElse(List.of())),
          EnumSet.of(PauseReason.OPERATOR));
      return vm;
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      vm.close();
      throw e;
    }
  }

  @Override
  public VirtualMachine skeleton(VmSpec spec) throws OutOfMemoryException, InterruptedException {
    return VirtualMachine.skeleton(spec, memory, network, disks.permit(), ticker);
  }
}
