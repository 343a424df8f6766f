package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Ticker;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** VMs for tests. */
final class Vms {
  static final HostMemory MEMORY = new HostMemory(1L << 30);

  private Vms() {
  }

  static Map<String, String> arguments(String... keysAndValues) {
    Map<String, String> arguments = new HashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      arguments.put(keysAndValues[i], keysAndValues[i + 1]);
    }
    return arguments;
  }

  static ProgramSpec program(String name, long pages, int vcpus, String... arguments) {
    return new ProgramSpec(name, arguments(arguments), PageSize.bytesOf(pages), vcpus);
  }

  static VmSpec spec(String program, long pages, int vcpus, String... arguments) {
    return spec(program(program, pages, vcpus, arguments), pages, vcpus);
  }

  static VmSpec spec(ProgramSpec program, long pages, int vcpus) {
    return new VmSpec(new VmId("vm-1"), "test", PageSize.bytesOf(pages), vcpus, program, Optional.empty(),
        Optional.empty(), List.of());
  }

  /** A VM at step 0, paused by the operator. */
  static VirtualMachine boot(VmSpec spec) throws Exception {
    return Booted.vm(new VmFactory(MEMORY, GuestDisks.NONE, Ticker.SYSTEM), spec, 1);
  }

  /** Lets a VM run until it has done that many steps in all, and pauses it for the operator. */
  static void runSteps(VirtualMachine vm, long steps) throws InterruptedException {
    vm.resume(PauseReason.OPERATOR);
    while (vm.steps() < steps) {
      Thread.onSpinWait();
    }
    vm.pause(PauseReason.OPERATOR);
  }
}
