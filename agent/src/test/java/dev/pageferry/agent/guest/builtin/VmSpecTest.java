package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.pageferry.common.identity.VmId;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a VM may be configured as, and how a refusal names what is wrong. */
final class VmSpecTest {
  private static final long MEMORY = 1 << 20;

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "uniform    | rate       | fast        | rate 'fast'",
      "uniform    | rate       | 100MB       | rate '100MB'",
      "uniform    | rate       | xMB/s       | 'xMB'",
      "uniform    | rate       | 4095B/s     | less than one step",
      "uniform    | workingSet | 4095        | workingSet '4095'",
      "hotset     | workingSet | 2MiB        | the VM's memory of 1 MiB",
      "hotset     | workingSet | -1          | '-1'",
      "uniform    | seed       | 1.5         | seed '1.5' is not a whole number",
      "uniform    | seed       | 9223372036854775808 | seed",
      "uniform    | fill       | ones        | fill 'ones'",
      "zipf       | theta      | 0           | theta '0'",
      "zipf       | theta      | -1          | theta",
      "zipf       | theta      | 10.1        | theta",
      "zipf       | theta      | NaN         | theta",
      "zipf       | theta      | steep       | theta 'steep'",
      "uniform    | theta      | 0.9         | has no argument 'theta'; it takes fill, rate, seed, workingSet",
      "journal    | disk       | 64          | disk '64' is not between 0 and 63",
      "diskmix    | disk       | last        | disk 'last' is not a whole number",
      "journal    | theta      | 0.9         | it takes disk, fill, rate, seed, workingSet",
      "zipf       | Rate       | 1MB/s       | it takes fill, rate, seed, theta, workingSet",
      "idle       | speed      | 1           | program 'idle' has no argument 'speed'"})
  void aWrongArgumentIsNamed(String program, String argument, String value, String message) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new ProgramSpec(program, Vms.arguments(argument, value), MEMORY, 1))
        .withMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "Uniform", "writer"})
  void anUnknownProgramIsToldWhichThereAre(String name) {
    assertThatIllegalArgumentException().isThrownBy(() -> new ProgramSpec(name, Vms.arguments(), MEMORY, 1))
        .withMessage("unknown program '%s'; there are idle, uniform, hotset, zipf, sequential, journal, diskmix", name);
  }

  @Test
  void theRateIsSharedByTheVcpus() {
    assertThat(new ProgramSpec("uniform", Vms.arguments("rate", "4096kB/s"), MEMORY, 4).stepsPerSecondOfVcpu())
        .isEqualTo(250);
    assertThat(new ProgramSpec("uniform", Vms.arguments("rate", "unlimited"), MEMORY, 4).stepsPerSecondOfVcpu())
        .isInfinite();
    assertThat(new ProgramSpec("uniform", Vms.arguments(), MEMORY, 1).stepsPerSecondOfVcpu())
        .isEqualTo(100_000_000 / 4096.0);
    assertThat(new ProgramSpec("journal", Vms.arguments(), MEMORY, 1).stepsPerSecondOfVcpu())
        .isEqualTo(1_000_000 / 4096.0);
  }

  @Test
  void argumentsNotGivenHaveDefaults() {
    ProgramSpec program = new ProgramSpec("zipf", Vms.arguments(), MEMORY, 1);

    assertThat(program.name()).isEqualTo("zipf");
    assertThat(program.seed()).isEqualTo(1);
    assertThat(program.fill()).isEqualTo(ProgramSpec.Fill.ZERO);
    assertThat(program.arguments()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 65, Integer.MAX_VALUE})
  void aNumberOfVcpusOutOfRangeIsRefused(int vcpus) {
    ProgramSpec program = new ProgramSpec("idle", Vms.arguments(), MEMORY, 1);
    assertThatIllegalArgumentException().isThrownBy(() -> Vms.spec(program, 256, vcpus))
        .withMessageContaining("%d vCPUs", vcpus);
  }

  @ParameterizedTest
  @CsvSource({"0, 1", "-4096, 1", "4095, 1", "4097, 1", "12288, 4", "8796093022208, 1", "9223372036854771712, 1"})
  void memoryThatIsNotWholePagesOrOutOfRangeIsRefused(long bytes, int vcpus) {
    assertThatIllegalArgumentException().isThrownBy(() -> VmSpec.checkMemory(bytes, vcpus))
        .withMessageContaining("%d bytes", bytes);
  }

  @ParameterizedTest
  @CsvSource({"4096, 1", "16384, 4", "262144, 64", "8796093018112, 1"})
  void memoryUpToItsLimitsIsAllowed(long bytes, int vcpus) {
    assertThatCode(() -> VmSpec.checkMemory(bytes, vcpus)).doesNotThrowAnyException();
  }

  @Test
  void anImageAndRandomPagesExcludeEachOther() {
    ProgramSpec program = new ProgramSpec("idle", Vms.arguments("fill", "random"), MEMORY, 1);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new VmSpec(new VmId("a"), "a", MEMORY, 1, program, Optional.of(Path.of("/image")),
            Optional.empty(), List.of()))
        .withMessageContaining("exclude each other");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
      "sequential |  5 | 2 |  2 | vCPU 0 is at page 2 of a working set of 2 pages",
      "sequential |  5 | 2 | -1 | vCPU 0 is at page -1",
      "diskmix    | 63 | 4 |  0 | vCPU 0 has written 0 blocks at step 64; expected 1",
      "diskmix    | 63 | 4 |  2 | vCPU 0 has written 2 blocks at step 64; expected 1",
      "uniform    |  5 | 4 | -1 | vCPU 0 has written -1 blocks behind record 0 at step 6",
      "journal    |  5 | 3 | -1 | vCPU 0 has written 0 blocks behind record -1 at step 6"})
  void registersThatTheProgramNeverHasAreRefused(String name, int stepsBefore, int register, long value,
      String message) {
    ProgramSpec program = new ProgramSpec(name, Vms.arguments("workingSet", "8KiB"), MEMORY, 1);
    Registers registers = new Registers();
    registers.set(Registers.PROGRAM_COUNTER, stepsBefore);
    program.verify(0, registers);

    registers.set(Registers.PROGRAM_COUNTER, stepsBefore + 1);
    registers.set(register, value);
    assertThatIllegalArgumentException().isThrownBy(() -> program.verify(0, registers))
        .withMessageStartingWith(message);
  }

  @Test
  void registersOfAnotherNumberOrAnEarlierBootAreRefused() {
    assertThatIllegalArgumentException().isThrownBy(() -> new Registers(new long[7]));
    assertThatIllegalArgumentException().isThrownBy(() -> new Registers(new long[0]));
    assertThatIllegalArgumentException().isThrownBy(() -> new Registers(new long[]{-1, 0, 0, 0, 0, 0, 0, 0}));
    assertThat(new Registers(new long[]{5, 0, 0, 0, 0, 0, 0, 1}).toArray()).containsExactly(5, 0, 0, 0, 0, 0, 0, 1);
  }
}
