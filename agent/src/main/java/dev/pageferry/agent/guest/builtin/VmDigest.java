package dev.pageferry.agent.guest.builtin;

import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * The contents of a VM at one moment.
 *
 * @param steps steps of all vCPUs at that moment
 * @param memoryDigest SHA-256 of RAM in address order, lower-case hex
 * @param registersDigest as {@link MachineState#digest()}
 */
public record VmDigest(long steps, String memoryDigest, String registersDigest) {
  private static final int PAGES_AT_ONCE = 1 << 16;

  /** Takes the digest; the VM is paused meanwhile. */
  public static VmDigest of(VirtualMachine vm) throws InterruptedException {
    return vm.takeWhilePaused(() -> {
      MachineState state = vm.state();
      return new VmDigest(state.steps(), memoryDigest(vm), state.digest());
    });
  }

  private static String memoryDigest(VirtualMachine vm) {
    MessageDigest sha256 = MachineState.sha256();
    for (long page = 0; page < vm.ram().pageCount(); page += PAGES_AT_ONCE) {
      sha256.update(vm.ram().window(page, (int) Math.min(PAGES_AT_ONCE, vm.ram().pageCount() - page)));
    }
    return HexFormat.of().formatHex(sha256.digest());
  }
}
