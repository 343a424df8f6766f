package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.HeldDisks;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.Optional;

/** Builds VMs of the built-in machine. */
public final class VmFactory implements GuestKind {
  private final AllowedPaths images;
  private final HostMemory memory;
  private final GuestDisks disks;
  private final Optional<HostNetwork> network;
  private final Ticker ticker;

  /** @param images of memory that operators may name */
  public VmFactory(HostMemory memory, GuestDisks disks, Optional<HostNetwork> network, AllowedPaths images,
      Ticker ticker) {
    this.images = images;
    this.memory = memory;
    this.disks = disks;
    this.network = network;
    this.ticker = ticker;
  }

  /** For VMs without network cards, and with any image. */
  public VmFactory(HostMemory memory, GuestDisks disks, Ticker ticker) {
    this(memory, disks, Optional.empty(), AllowedPaths.ANY, ticker);
  }

  @Override
  public VmSpec spec(dev.pageferry.proto.agent.v1.VmSpec message) {
    return VmSpec.of(message);
  }

  @Override
  public void check(GuestSpec spec) throws IOException {
    MemoryFill.checkImage(own(spec));
    if (own(spec).image().isPresent()) {
      images.requireFile(own(spec).image().get());
    }
    disks.check(spec);
  }

  @Override
  public VirtualMachine skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    return VirtualMachine.skeleton(own(spec), memory, network, new HeldDisks(disks, disks.permit()), ticker);
  }

  private static VmSpec own(GuestSpec spec) {
    if (spec instanceof VmSpec own) {
      return own;
    }
    throw new IllegalArgumentException("%s is not a specification of the built-in machine".formatted(spec));
  }
}
