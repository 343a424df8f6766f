package dev.pageferry.agent.migration;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.savedstate.SavedStateReader;
import dev.pageferry.agent.savedstate.SavedStateWriter;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.agent.savedstate.VersionOneReader;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.SavedStateHeader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Files that the version before saved ({@code scripts/record-previous}), one of each codec, and what it knew of them. */
@Timeout(120)
class PreviousVersionSavedStateTest {
  private static final Path VERSION = Path.of("src/test/resources/version-4200a9b");
  private static final HostMemory MEMORY = new HostMemory(64L << 20);

  @TempDir
  private Path directory;

  /** @param digest that the version before took while the VM was paused */
  private record Saved(String name, VmDigest digest) {
    Path file() {
      return VERSION.resolve("saved").resolve(name + ".state");
    }

    SavedStateHeader header() throws IOException {
      try (SavedStateReader reader = SavedStateReader.open(file())) {
        return SavedStateHeader.parseFrom(reader.metadata());
      }
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static List<Saved> saved() throws IOException {
    try (Stream<String> lines = Files.lines(VERSION.resolve("digests.txt"))) {
      return lines.map(line -> line.split("\t"))
          .map(parts -> new Saved(parts[0], new VmDigest(Long.parseLong(parts[1]), parts[2], parts[3]))).toList();
    }
  }

  @Test
  void thereIsAFileOfEveryPacking() throws IOException {
    assertThat(saved().stream().map(Saved::name)).containsExactlyInAnyOrder("saved-auto", "saved-none", "saved-lz4",
        "saved-zstd", "saved-filled", "saved-journal");
  }

  @ParameterizedTest
  @MethodSource("saved")
  void aFileOfTheVersionBeforeIsRestoredToTheSamePagesAndRegisters(Saved saved) throws Exception {
    try (VirtualMachine vm = restored(saved)) {
      assertThat(vm.digest()).isEqualTo(saved.digest());
      assertThat(vm.isPausedFor(PauseReason.OPERATOR)).isTrue();
      assertThat(vm.verify((done, total) -> {
      }).identical()).as("its twin of today").isTrue();
    }
  }

  @ParameterizedTest
  @MethodSource("saved")
  void theVersionBeforeAndThisOneMeanTheSameByVersionOne(Saved saved) throws Exception {
    assertThat(VersionOneReader.verify(Files.readAllBytes(saved.file()))).isEqualTo(saved.header().toByteArray());
  }

  @ParameterizedTest
  @EnumSource(Packing.class)
  void aFileOfTodayIsOneThatTheVersionBeforeAccepts(Packing packing) throws Exception {
    for (Saved each : saved()) {
      try (VirtualMachine vm = restored(each)) {
        SavedStateHeader today = SavedStateHeader
            .parseFrom(VersionOneReader.verify(save(vm, each.header().getEpoch(), packing)));
        // The version before refuses a state whose configuration has a field that it does not know.
        assertThat(today.getSpec().toByteArray()).isEqualTo(each.header().getSpec().toByteArray());
        assertThat(today.getEpoch()).isEqualTo(each.header().getEpoch());
        assertThat(today.getVcpusList()).isEqualTo(each.header().getVcpusList());
        assertThat(today.getOperatorPaused()).isEqualTo(each.header().getOperatorPaused());
      }
    }
  }

  private byte[] save(VirtualMachine vm, long epoch, Packing packing) throws Exception {
    Path file = directory.resolve("today.%s.state".formatted(packing));
    Files.deleteIfExists(file);
    PageBitmap pages = new PageBitmap(vm.ram().pageCount());
    vm.addWritten(pages);
    byte[] header = StateMessages.toHeader(vm.spec(), new OwnershipEpoch(epoch), vm.state(),
        vm.isPausedFor(PauseReason.OPERATOR)).toByteArray();
    SavedStateWriter.write(file, header, vm.ram(), pages, packing, done -> {
    });
    return Files.readAllBytes(file);
  }

  private static VirtualMachine restored(Saved saved) throws Exception {
    SavedStateHeader header = saved.header();
    VirtualMachine vm = new VmFactory(MEMORY, GuestDisks.NONE, Ticker.SYSTEM)
        .skeleton(VmSpec.of(header.getSpec()));
    try (SavedStateReader reader = SavedStateReader.open(saved.file())) {
      reader.restore(vm.ram(), vm.written(), bytes -> {
      });
    }
    EnumSet<PauseReason> reasons = EnumSet.of(PauseReason.MIGRATION);
    if (header.getOperatorPaused()) {
      reasons.add(PauseReason.OPERATOR);
    }
    vm.load(StateMessages.fromHeader(header), reasons);
    return vm;
  }
}
