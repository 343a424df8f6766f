package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.os.OsProcess;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** For which machines the kernel is asked, and what the next agent learns of it. */
class PageTrackingTest {
  private static final QemuMachine EMULATED = QemuMachine.newBuilder().setMachine("pc-i440fx-10.0").setCpu("qemu64")
      .setKernel("/boot/vmlinuz").build();

  @TempDir
  Path directory;

  private static QemuSpec spec(QemuMachine machine) {
    return QemuSpec.of(VmSpec.newBuilder().setId("vm-1").setName("tux").setMemoryBytes(64 << 20).setVcpus(1)
        .setQemu(machine).build());
  }

  @Test
  void theKernelTellsUnderKvmOnlyWhereThatIsAskedFor() {
    QemuSpec kvm = spec(EMULATED.toBuilder().setAccel("kvm").build());

    assertThat(WrittenPagesFrom.parse("auto").reasonAgainstKernel(spec(EMULATED))).isEmpty();
    assertThat(WrittenPagesFrom.parse("auto").reasonAgainstKernel(kvm)).hasValueSatisfying(
        each -> assertThat(each).contains("not tested under KVM"));
    assertThat(WrittenPagesFrom.parse("kernel").reasonAgainstKernel(kvm)).isEmpty();
    assertThat(WrittenPagesFrom.parse("stream").reasonAgainstKernel(spec(EMULATED))).hasValueSatisfying(
        each -> assertThat(each).contains("--written-pages stream"));
    assertThatThrownBy(() -> WrittenPagesFrom.parse("maybe")).hasMessageContaining("'maybe'");
  }

  @Test
  void theKernelIsNotAskedOfAMachineWhoseMemoryOthersMayWrite() {
    QemuSpec others = spec(EMULATED.toBuilder().addArguments("rtc=base=localtime").build());

    for (WrittenPagesFrom each : WrittenPagesFrom.values()) {
      assertThat(each.reasonAgainstKernel(others)).as("%s", each).isPresent();
    }
  }

  @Test
  void aRecordKeepsTheDescriptorThroughWhateverElseChangesInIt() throws Exception {
    try (MachineFiles files = MachineFiles.create(directory.resolve("vm-1"))) {
      MachineRecord.change(files, each -> each.tracked(1));
      assertThat(files.record()).as("of a machine that has none").doesNotExist();
      new MachineRecord(spec(EMULATED), List.of(new Incarnation("one")), 0, OptionalInt.empty()).write(files);
      assertThat(MachineRecord.read(files.record()).trackingDescriptor()).isEmpty();

      MachineRecord.change(files, each -> each.tracked(17));
      MachineRecord.change(files, each -> each.under(new OwnershipEpoch(3)).of(new Incarnation("two")));

      MachineRecord record = MachineRecord.read(files.record());
      assertThat(record.trackingDescriptor()).hasValue(17);
      assertThat(record.epoch()).isEqualTo(3);
      assertThat(record.agents()).containsExactly(new Incarnation("one"), new Incarnation("two"));
    }
  }

  @Test
  void aQemuThatWasFoundIsAskedOnlyByADescriptorThatIsOne() throws Exception {
    try (MachineFiles files = MachineFiles.create(directory.resolve("vm-1"))) {
      Files.write(files.ram(), new byte[4096]);
      OsProcess self = OsProcess.of(ProcessHandle.current().pid()).orElseThrow();
      PageTracking tracking = new PageTracking(spec(EMULATED), files, WrittenPagesFrom.AUTO, Scheduler.SYSTEM);
      new MachineRecord(spec(EMULATED), List.of(new Incarnation("one")), 0, OptionalInt.empty()).write(files);

      tracking.found(self);
      assertThat(tracking.open()).as("of an agent before").isEmpty();

      MachineRecord.change(files, each -> each.tracked(0));
      tracking.found(self);
      assertThat(tracking.open()).as("a file of another kind by now").isEmpty();
    }
  }
}
