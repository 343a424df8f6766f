package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.ownership.Rulings;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
final class TwinVerifierTest {
  private static final int PAGES = 200;

  private final TwinVerifier verifier = new TwinVerifier(Vms.MEMORY);

  @ParameterizedTest
  @CsvSource({"idle, zero, 1", "uniform, zero, 2", "uniform, random, 3", "hotset, random, 2", "zipf, zero, 3",
      "sequential, zero, 2"})
  void aVmThatRanUndisturbedIsIdenticalToItsTwin(String program, String fill, int vcpus) throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec(program, PAGES, vcpus, "rate", "unlimited", "fill", fill))) {
      Vms.runSteps(vm, 50_000);

      assertThat(verify(vm)).isEqualTo(new Replayable.Result(vm.steps(), OptionalLong.empty(), 0));
    }
  }

  @Test
  void aVmIsVerifiedWhileItRunsAndRunsOn() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("uniform", PAGES, 2, "rate", "unlimited"))) {
      vm.resume(PauseReason.OPERATOR);
      vm.awaitFirstSign(30_000);

      Replayable.Result result = verify(vm);

      assertThat(result.identical()).isTrue();
      assertThat(result.steps()).isPositive().isLessThanOrEqualTo(vm.steps());
      assertThat(vm.isPaused()).isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 137, 199})
  void oneFlippedBitIsFoundWithItsPage(int page) throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("uniform", PAGES, 2, "rate", "unlimited"))) {
      Vms.runSteps(vm, 10_000);
      ByteBuffer bytes = vm.ram().window(page, 1);
      bytes.put(4095, (byte) (bytes.get(4095) ^ 0x10));

      Replayable.Result result = verify(vm);

      assertThat(result.identical()).isFalse();
      assertThat(result.firstDifference()).hasValue(page);
    }
  }

  @Test
  void theFirstOfSeveralDifferencesIsNamed() throws Exception {
    try (VirtualMachine vm = Vms.boot(Vms.spec("idle", PAGES, 1))) {
      vm.ram().putLong(PageSize.bytesOf(150), 1);
      vm.ram().putLong(PageSize.bytesOf(33), 1);

      assertThat(verify(vm).firstDifference()).hasValue(33);
    }
  }

  @Test
  void registersThatDifferAreFoundThoughMemoryIsTheSame() throws Exception {
    VmSpec spec = Vms.spec("idle", PAGES, 1);
    try (VirtualMachine vm = new VmFactory(Vms.MEMORY, GuestDisks.NONE, Ticker.SYSTEM).skeleton(spec)) {
      vm.load(new MachineState(List.of(new Registers(new long[]{5, 0, 0, 0, 0, 0, 0, 1}))),
          EnumSet.of(PauseReason.OPERATOR));

      assertThat(verify(vm)).isEqualTo(new Replayable.Result(5, OptionalLong.of(PAGES), 0));
    }
  }

  @Test
  void aVmThatStartedFromAnImageIsReplayedFromIt(@TempDir Path directory) throws Exception {
    Path image = Files.write(directory.resolve("image"), new byte[]{1, 2, 3});
    VmSpec spec = new VmSpec(new VmId("vm-1"), "test", PageSize.bytesOf(PAGES), 1,
        Vms.program("uniform", PAGES, 1, "rate", "unlimited"), Optional.of(image), Optional.empty(), List.of());
    try (VirtualMachine vm = Vms.boot(spec)) {
      Vms.runSteps(vm, 1_000);
      assertThat(verify(vm).identical()).isTrue();

      Files.write(image, new byte[]{1, 2, 4});
      assertThatThrownBy(() -> verify(vm)).isInstanceOf(IOException.class)
          .hasMessageContaining("is not the one that the VM was created from");

      Files.delete(image);
      assertThatThrownBy(() -> verify(vm)).isInstanceOf(IOException.class).hasMessageContaining("not a readable file");
    }
  }

  @Test
  void aTwinForWhichThereIsNoMemoryIsNotBuilt() throws Exception {
    HostMemory memory = new HostMemory(PageSize.bytesOf(PAGES));
    try (VirtualMachine vm = Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM),
        Vms.spec("idle", PAGES, 1), 1)) {
      assertThatThrownBy(() -> vm.verify((steps, total) -> {
      })).isInstanceOf(OutOfMemoryException.class);
      assertThat(vm.isPausedFor(PauseReason.DIGEST)).isFalse();
    }
    assertThat(memory.freeBytes()).isEqualTo(PageSize.bytesOf(PAGES));
  }

  @Test
  void aTwinGivesItsMemoryBack() throws Exception {
    HostMemory memory = new HostMemory(2 * PageSize.bytesOf(PAGES));
    try (VirtualMachine vm = Booted.vm(new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM),
        Vms.spec("idle", PAGES, 1), 1)) {
      for (int i = 0; i < 3; i++) {
        assertThat(vm.verify((steps, total) -> {
        }).identical()).isTrue();
      }
      assertThat(memory.freeBytes()).isEqualTo(PageSize.bytesOf(PAGES));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"idle", "uniform", "hotset", "zipf", "sequential"})
  void twoVmsOfTheSameSpecAtTheSameStepsHaveTheSameDigest(String program) throws Exception {
    VmSpec spec = Vms.spec(program, PAGES, 2, "rate", "unlimited");
    try (VirtualMachine one = Vms.boot(spec); VirtualMachine other = Vms.boot(spec)) {
      assertThat(other.digest()).isEqualTo(one.digest());
      Vms.runSteps(one, 10_000);
      VmDigest digest = one.digest();
      assertThat(digest.steps()).isEqualTo(one.steps());
      assertThat(digest).isNotEqualTo(other.digest());

      replay(other, one.machineState());

      assertThat(other.digest()).isEqualTo(digest);
      other.ram().putLong(8, other.ram().getLong(8) + 1);
      assertThat(other.digest().memoryDigest()).isNotEqualTo(digest.memoryDigest());
      assertThat(other.digest().registersDigest()).isEqualTo(digest.registersDigest());
    }
  }

  /** Brings a VM at step 0 to where another one stands, on this thread. */
  private static void replay(VirtualMachine vm, MachineState target) {
    List<Registers> registers = IntStream.range(0, vm.spec().vcpus()).mapToObj(vcpu -> {
      GuestProgram program = vm.spec().program().program(vcpu, List.of());
      Registers each = program.initialRegisters();
      program.run(each, vm.ram(), new long[(int) Math.ceilDiv(vm.ram().pageCount(), 64)],
          Math.toIntExact(target.vcpus().get(vcpu).get(Registers.PROGRAM_COUNTER)));
      return each;
    }).toList();
    vm.load(new MachineState(registers), EnumSet.of(PauseReason.OPERATOR));
    vm.runOn(Rulings.leaveToRun());
  }

  private Replayable.Result verify(VirtualMachine vm) throws Exception {
    return verifier.verify(vm, (steps, total) -> {
    });
  }
}
