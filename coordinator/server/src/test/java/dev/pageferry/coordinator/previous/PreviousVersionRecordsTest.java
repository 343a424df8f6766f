package dev.pageferry.coordinator.previous;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.ownership.ChangeGate;
import dev.pageferry.coordinator.ownership.LiveHosts;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Decision;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Outcome;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.TunnelEndRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Records of the version before, written while VMs were in every phase and every kind of move was under way. */
class PreviousVersionRecordsTest {
  private static final LiveHosts ALL_LIVE = (host, incarnation) -> true;
  private static final LiveHosts ALL_LOST = (host, incarnation) -> false;

  @TempDir
  private Path directory;

  @BeforeEach
  void takeRecords() throws Exception {
    PreviousVersion.records(directory);
  }

  private interface Question {
    void ask(RecordStore store, OwnershipLedger ledger) throws Exception;
  }

  private void ask(Question question) throws Exception {
    try (RecordStore store = SqliteRecordStore.open(directory)) {
      question.ask(store, new OwnershipLedger(store, ChangeGate.OPEN));
    }
  }

  @Test
  void everyRecordIsReadAsTheVersionBeforeReadsIt() throws Exception {
    ask((store, ledger) -> {
      List<String> now = new ArrayList<>();
      for (Versioned each : store.list("")) {
        now.add("%s\t%d\t%s".formatted(each.key(), each.revision(), text(each)));
      }
      List<String> before = PreviousVersion.lines("records.txt").stream().map(parts -> String.join("\t", parts))
          .toList();
      // Opening may add records of its own; none of before is changed by it.
      assertThat(now).containsAll(before);
    });
  }

  private static String text(Versioned record) throws Exception {
    return switch (record.key().substring(0, record.key().indexOf('/'))) {
      case "vms" -> known(VmRecord.parseFrom(record.value()));
      case "migrations", "decisions" -> known(MigrationRecord.parseFrom(record.value()));
      case "hosts" -> known(HostRecord.parseFrom(record.value()));
      case "tunnel-ends" -> known(TunnelEndRecord.parseFrom(record.value()));
      default -> new String(record.value(), StandardCharsets.UTF_8);
    };
  }

  private static String known(Message message) {
    assertThat(message.getUnknownFields().asMap()).isEmpty();
    return PreviousVersion.text(message);
  }

  @Test
  void everyVmIsShownAsTheVersionBeforeShowsIt() throws Exception {
    try (FakeSite site = new FakeSite(directory)) {
      List<Vm> now = site.machines().list();
      List<Vm> before = shown("vms.txt", Vm.newBuilder()).stream().map(Vm.class::cast).toList();
      assertThat(now).hasSize(23);
      assertThat(now.stream().map(PreviousVersionRecordsTest::lasting))
          .isEqualTo(before.stream().map(PreviousVersionRecordsTest::lasting).toList());
      Map<String, Vm.State> states = new TreeMap<>();
      before.forEach(each -> states.put(each.getName(), each.getState()));
      for (Vm each : now) {
        Vm.State state = states.get(each.getName());
        assertThat(List.of(each.getHa(), each.getPriority())).as("nobody wished anything for it")
            .containsExactly(Ha.Name.AUTO, 500);
        // No host has been heard: this version may say that nobody knows, where the version before said FAILED.
        assertThat(each.getState()).as(each.getName()).isIn(state == Vm.State.FAILED
            ? List.of(Vm.State.FAILED, Vm.State.UNKNOWN)
            : List.of(state));
      }
    }
  }

  /** Without what depends on who has been heard, and defaults of what the version before does not know. */
  private static Vm lasting(Vm vm) {
    return vm.toBuilder().clearState().clearReason().clearHa().clearPriority().build();
  }

  @Test
  void everyMigrationAndHostIsShownAsTheVersionBeforeShowsIt() throws Exception {
    try (FakeSite site = new FakeSite(directory)) {
      List<Message> before = shown("migrations.txt", Migration.newBuilder()).stream()
          .sorted(Comparator.comparing(each -> ((Migration) each).getId())).toList();
      List<Message> now = new ArrayList<>();
      site.ledger().migrations().stream().map(MigrationRecord::getDocument)
          .sorted(Comparator.comparing(Migration::getId)).forEach(now::add);
      assertThat(now).hasSize(8).isEqualTo(before);
      assertThat(site.inventory().list()).extracting(host -> host.id().value(), host -> host.record().getStorageId())
          .containsExactlyElementsOf(recorded("hosts/", HostRecord.class).stream()
              .map(host -> tuple(host.getId(), host.getStorageId())).toList());
    }
  }

  private <T extends Message> List<T> recorded(String prefix, Class<T> type) throws Exception {
    List<T> found = new ArrayList<>();
    for (String[] line : PreviousVersion.lines("records.txt")) {
      if (line[0].startsWith(prefix)) {
        found.add(TextFormat.parse(line[2], type));
      }
    }
    return found;
  }

  private static List<Message> shown(String file, Message.Builder builder) throws Exception {
    List<Message> found = new ArrayList<>();
    for (String[] line : PreviousVersion.lines(file)) {
      Message.Builder one = builder.clone();
      TextFormat.merge(line[0], one);
      found.add(one.build());
    }
    return found;
  }

  @ParameterizedTest
  @CsvSource({"moved-live, COMMITTED, host-b, 2", "moved-quick, COMMITTED, host-b, 2", "copied, COMMITTED, host-c, 2",
      "cancelled, ABORTED, host-a, 1", "given-back, TAKEN_BACK, host-a, 3", "saved-by-loss, ABORTED, host-d, 2"})
  void whatWasDecidedIsAnsweredAgain(String vm, Outcome outcome, String owner, long epoch) throws Exception {
    ask((store, ledger) -> {
      Row row = ledger.findByName(vm).orElseThrow();
      MigrationId migration = migrationOf(ledger, vm);
      for (int i = 0; i < 2; i++) {
        assertThat(ledger.commit(row.id(), migration, ALL_LIVE)).isEqualTo(new Decision(outcome, owner, epoch));
        assertThat(ledger.resolve(row.id(), migration)).isEqualTo(new Decision(outcome, owner, epoch));
      }
      assertThat(ledger.find(row.id()).orElseThrow().record()).isEqualTo(row.record());
    });
  }

  private static MigrationId migrationOf(OwnershipLedger ledger, String vm) {
    return ledger.migrations().stream().map(MigrationRecord::getDocument).filter(each -> each.getVm().equals(vm))
        .map(each -> new MigrationId(each.getId())).findFirst().orElseThrow();
  }

  @ParameterizedTest
  @CsvSource({"moving, MOVE, host-b, 2, ACTIVE", "noted, MOVE, host-b, 2, ACTIVE", "saving, SAVE, host-a, 1, SAVED",
      "restoring, RESTORE, host-b, 2, ACTIVE"})
  void whatWasUnderWayCanBeCommitted(String vm, PendingMigration.Kind kind, String owner, long epoch,
      VmRecord.Phase phase) throws Exception {
    ask((store, ledger) -> {
      Row row = ledger.findByName(vm).orElseThrow();
      PendingMigration pending = row.record().getPending();
      assertThat(pending.getKind()).isEqualTo(kind);
      Decision decision = ledger.commit(row.id(), new MigrationId(pending.getMigrationId()), ALL_LIVE);
      assertThat(decision).isEqualTo(new Decision(Outcome.COMMITTED, owner, epoch));
      VmRecord now = ledger.find(row.id()).orElseThrow().record();
      assertThat(now.getPhase()).isEqualTo(phase);
      assertThat(now.hasPending()).isFalse();
      assertThat(now.hasSavedState()).isEqualTo(phase == VmRecord.Phase.SAVED);
    });
  }

  @ParameterizedTest
  @CsvSource({"moving, 1, ACTIVE", "noted, 2, SAVED", "saving, 1, ACTIVE", "restoring, 1, SAVED"})
  void whatWasUnderWayCanBeResolvedOnceItsHostsAreLost(String vm, long epoch, VmRecord.Phase phase) throws Exception {
    ask((store, ledger) -> {
      Row row = ledger.findByName(vm).orElseThrow();
      MigrationId migration = new MigrationId(row.record().getPending().getMigrationId());
      assertThat(ledger.commit(row.id(), migration, ALL_LOST).outcome()).isIn(Outcome.ABORTED, Outcome.COMMITTED);
      assertThat(ledger.find(row.id()).orElseThrow().record().hasPending()).isFalse();
    });
    // From the same records again: aborted by whoever asks for that alone.
    try (RecordStore fresh = SqliteRecordStore.open(PreviousVersion.records(Files.createDirectory(
        directory.resolve("again"))))) {
      OwnershipLedger ledger = new OwnershipLedger(fresh, ChangeGate.OPEN);
      Row row = ledger.findByName(vm).orElseThrow();
      MigrationId migration = new MigrationId(row.record().getPending().getMigrationId());
      assertThat(ledger.resolve(row.id(), migration, ALL_LOST))
          .isEqualTo(new Decision(Outcome.ABORTED, row.record().getOwnerHost(), epoch));
      assertThat(ledger.find(row.id()).orElseThrow().record().getPhase()).isEqualTo(phase);
    }
  }

  @Test
  void aVmOfBeforeIsMovedUnderTheNextEpoch() throws Exception {
    ask((store, ledger) -> {
      Row row = ledger.findByName("running").orElseThrow();
      String life = ledger.findByName("moved-live").orElseThrow().record().getOwnerIncarnation();
      MigrationId migration = new MigrationId("11111111-2222-3333-4444-555555555555");
      ledger.begin(row, migration, MigrationRecord.newBuilder().setVmId(row.id().value())
          .setSourceIncarnation(row.record().getOwnerIncarnation()).setDestinationIncarnation(life).build(),
          new HostId("host-b"));
      assertThat(ledger.commit(row.id(), migration, ALL_LIVE)).isEqualTo(new Decision(Outcome.COMMITTED, "host-b", 2));
      assertThat(ledger.find(row.id()).orElseThrow().record().getOwnerIncarnation()).isEqualTo(life);
    });
  }

  @Test
  void aDeletedVmIsKnownToBeDeletedAndItsNameIsFree() throws Exception {
    ask((store, ledger) -> {
      String id = PreviousVersion.lines("records.txt").stream().map(parts -> parts[0])
          .filter(key -> key.startsWith("deleted-vms/")).findFirst().orElseThrow().substring("deleted-vms/".length());
      assertThat(ledger.wasDeleted(new VmId(id))).isTrue();
      assertThat(ledger.findByName("deleted")).isEqualTo(Optional.empty());
    });
  }

  @Test
  void theStoppedVmIsBootedAndAnotherOneDeletedOnceItsHostIsHeard() throws Exception {
    try (FakeSite site = new FakeSite(directory)) {
      HostRecord host = recorded("hosts/", HostRecord.class).getFirst();
      // The same incarnation, as it comes back to a coordinator of this version.
      site.inventory().register(host.toBuilder().setAddress(FakeSite.address("host-a")).clearSuperseded().build(),
          512 * FakeSite.MIB);
      site.inventory().heartbeat(new HostId("host-a"), new Incarnation(host.getIncarnation()), 512 * FakeSite.MIB,
          List.of());

      Vm started = site.machines().start("stopped", "", false);
      assertThat(started.getEpoch()).isEqualTo(2);
      assertThat(site.row("stopped").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
      assertThat(site.row("stopped").getStorageId()).isEqualTo(host.getStorageId());
      VmId paused = site.vmId("paused");
      site.machines().delete("paused", true);
      assertThat(site.ledger().wasDeleted(paused)).isTrue();
    }
  }
}
