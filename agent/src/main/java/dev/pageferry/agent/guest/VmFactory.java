package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.util.EnumSet;

/** Builds VMs of the built-in guest. */
public final class VmFactory {
  private final HostMemory memory;
  private final Ticker ticker;

  public VmFactory(HostMemory memory, Ticker ticker) {
    this.memory = memory;
    this.ticker = ticker;
  }

  /**
   * A VM at step 0 with its memory filled, held by the operator's pause.
   *
   * @return the VM; its spec carries the image's SHA-256 where there is an image
   * @throws IOException if the image cannot be loaded
   */
  public VirtualMachine boot(VmSpec spec) throws IOException, OutOfMemoryException, InterruptedException {
    MemoryFill.checkImage(spec);
    VirtualMachine vm = VirtualMachine.skeleton(spec, memory, ticker);
    try {
      MemoryFill.fill(spec, vm.ram(), vm.dirtyLog().everWritten()).ifPresent(vm::recordImageSha256);
      vm.load(VirtualMachine.bootState(spec), EnumSet.of(PauseReason.OPERATOR));
      return vm;
    } catch (IOException | RuntimeException | Error e) {
      vm.close();
      throw e;
    }
  }

  /** A VM with memory and no vCPUs, to receive a state into. */
  public VirtualMachine skeleton(VmSpec spec) throws OutOfMemoryException, InterruptedException {
    return VirtualMachine.skeleton(spec, memory, ticker);
  }
}
