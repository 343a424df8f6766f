package dev.pageferry.agent.guest.builtin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.common.page.PageRange;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.units.ByteSize;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

final class GuestProgramTest {
  private static final int PAGES = 131;
  private static final int STEPS = 20_000;

  static Stream<Arguments> programs() {
    return Stream.of("idle", "uniform", "hotset", "zipf", "sequential")
        .flatMap(name -> Stream.of(1, 3, 8).map(vcpus -> Arguments.of(name, vcpus)));
  }

  @ParameterizedTest
  @MethodSource("programs")
  void theChunksInWhichStepsAreDoneDoNotMatter(String name, int vcpus) throws Exception {
    ProgramSpec spec = Vms.program(name, PAGES, vcpus, "workingSet", "200KiB", "seed", "77");
    try (PageStore one = ram(); PageStore other = ram()) {
      for (int vcpu = 0; vcpu < vcpus; vcpu++) {
        Registers atOnce = spec.program(vcpu, List.of()).initialRegisters();
        spec.program(vcpu, List.of()).run(atOnce, one, words(), STEPS);
        Registers inChunks = spec.program(vcpu, List.of()).initialRegisters();
        Random random = new Random(vcpu);
        for (int left = STEPS; left > 0;) {
          int chunk = Math.min(left, 1 + random.nextInt(300));
          // A program object of its own each time: nothing may be remembered outside registers and RAM.
          spec.program(vcpu, List.of()).run(inChunks, other, words(), chunk);
          left -= chunk;
        }
        assertThat(inChunks).isEqualTo(atOnce);
        assertThat(atOnce.get(Registers.PROGRAM_COUNTER)).isEqualTo(STEPS);
      }
      assertThat(other.window(0, PAGES)).isEqualTo(one.window(0, PAGES));
    }
  }

  @ParameterizedTest
  @MethodSource("programs")
  void aVcpuWritesOnlyItsShareAndMarksExactlyThePagesItWrites(String name, int vcpus) throws Exception {
    ProgramSpec spec = Vms.program(name, PAGES, vcpus);
    for (int vcpu = 0; vcpu < vcpus; vcpu++) {
      try (PageStore ram = ram()) {
        long[] words = words();
        spec.program(vcpu, List.of()).run(spec.program(vcpu, List.of()).initialRegisters(), ram, words, STEPS);
        BitSet marked = BitSet.valueOf(words);
        PageRange share = spec.share(vcpu);
        for (int page = 0; page < PAGES; page++) {
          assertThat(marked.get(page)).as("page %d of vCPU %d", page, vcpu).isEqualTo(!ram.isZero(page));
          if (page < share.first() || page >= share.end()) {
            assertThat(marked.get(page)).as("page %d is not in %s", page, share).isFalse();
          }
        }
        assertThat(marked.isEmpty()).isEqualTo(name.equals("idle"));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 64, 131})
  void theSharesOfTheVcpusDivideTheMemory(int vcpus) {
    ProgramSpec spec = Vms.program("uniform", PAGES, vcpus);
    long next = 0;
    for (int vcpu = 0; vcpu < vcpus; vcpu++) {
      PageRange share = spec.share(vcpu);
      assertThat(share.first()).isEqualTo(next);
      assertThat(share.count()).isBetween((long) PAGES / vcpus, (long) PAGES / vcpus + 1);
      next = share.end();
    }
    assertThat(next).isEqualTo(PAGES);
  }

  @ParameterizedTest
  @ValueSource(strings = {"uniform", "zipf", "sequential"})
  void theWorkingSetBoundsThePagesWritten(String name) throws Exception {
    assertThat(pagesWritten(Vms.program(name, PAGES, 1, "workingSet", "40KiB")).stream()).hasSize(10)
        .allMatch(page -> page < 10);
  }

  @Test
  void aWorkingSetTooSmallToDivideGivesEachVcpuOnePage() throws Exception {
    ProgramSpec spec = Vms.program("sequential", PAGES, 4, "workingSet", "8KiB");
    for (int vcpu = 0; vcpu < 4; vcpu++) {
      try (PageStore ram = ram()) {
        long[] words = words();
        spec.program(vcpu, List.of()).run(spec.program(vcpu, List.of()).initialRegisters(), ram, words, 100);
        assertThat(BitSet.valueOf(words).stream()).containsExactly((int) spec.share(vcpu).first());
      }
    }
  }

  @Test
  void theSequentialProgramWritesPageAfterPageRoundAndRound() throws Exception {
    ProgramSpec spec = Vms.program("sequential", PAGES, 1, "workingSet", "12KiB");
    try (PageStore ram = ram()) {
      Registers registers = spec.program(0, List.of()).initialRegisters();
      for (int step = 0; step < 7; step++) {
        long[] words = words();
        spec.program(0, List.of()).run(registers, ram, words, 1);
        assertThat(BitSet.valueOf(words).stream()).containsExactly(step % 3);
      }
    }
  }

  @Test
  void theHotSetTakesNineStepsOfTen() throws Exception {
    ProgramSpec spec = Vms.program("hotset", PAGES, 1, "workingSet", "52KiB");
    int hot = 0;
    try (PageStore ram = ram()) {
      Registers registers = spec.program(0, List.of()).initialRegisters();
      for (int step = 0; step < 10_000; step++) {
        long[] words = words();
        spec.program(0, List.of()).run(registers, ram, words, 1);
        hot += BitSet.valueOf(words).nextSetBit(0) < 13 ? 1 : 0;
      }
    }
    // 90 percent, and the 10 percent of the others that fall into the hot tenth by chance; deviation about 30.
    assertThat(hot).isBetween(8_950, 9_250);
  }

  @Test
  void uniformStepsReachAllPagesAlike() throws Exception {
    ProgramSpec spec = Vms.program("uniform", 10, 1);
    int[] counts = new int[10];
    try (PageStore ram = ram()) {
      Registers registers = spec.program(0, List.of()).initialRegisters();
      for (int step = 0; step < 10_000; step++) {
        long[] words = words();
        spec.program(0, List.of()).run(registers, ram, words, 1);
        counts[BitSet.valueOf(words).nextSetBit(0)]++;
      }
    }
    assertThat(Arrays.stream(counts)).allMatch(count -> count > 850 && count < 1150);
  }

  @Test
  void popularPagesOfZipfAreScattered() throws Exception {
    // The stride that scatters the ranks visits every page of the working set.
    for (String size : new String[]{"4KiB", "8KiB", "24KiB", "40KiB", "256KiB", "524KiB"}) {
      ProgramSpec spec = Vms.program("zipf", PAGES, 1, "workingSet", size, "theta", "0.1");
      long expected = ByteSize.parse(size) / PageSize.BYTES;
      assertThat(pagesWritten(spec).cardinality()).as(size).isEqualTo((int) expected);
    }
  }

  @Test
  void anotherSeedWritesOtherBytes() throws Exception {
    try (PageStore one = ram(); PageStore other = ram()) {
      ProgramSpec first = Vms.program("uniform", PAGES, 1, "seed", "1");
      ProgramSpec second = Vms.program("uniform", PAGES, 1, "seed", "2");
      first.program(0, List.of()).run(first.program(0, List.of()).initialRegisters(), one, words(), 100);
      second.program(0, List.of()).run(second.program(0, List.of()).initialRegisters(), other, words(), 100);
      assertThat(other.window(0, PAGES)).isNotEqualTo(one.window(0, PAGES));
    }
  }

  private static BitSet pagesWritten(ProgramSpec spec) throws Exception {
    try (PageStore ram = ram()) {
      long[] words = words();
      spec.program(0, List.of()).run(spec.program(0, List.of()).initialRegisters(), ram, words, STEPS);
      return BitSet.valueOf(words);
    }
  }

  private static PageStore ram() throws Exception {
    return PageStore.allocate(PageSize.bytesOf(PAGES));
  }

  private static long[] words() {
    return new long[3];
  }
}
