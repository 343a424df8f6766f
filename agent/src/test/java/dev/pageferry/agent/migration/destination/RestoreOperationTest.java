package dev.pageferry.agent.migration.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OpenDialogues;
import dev.pageferry.agent.ownership.OwnershipClient.Decision;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.ScriptedRow;
import dev.pageferry.agent.savedstate.SavedStateWriter;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.StateFiles;
import dev.pageferry.common.time.Ticker;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest that was read back runs, or goes, by the row's ruling alone. */
@Timeout(60)
class RestoreOperationTest {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final long BYTES = 1L << 20;
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(2);
  private static final VmSpec SPEC = VmSpec.diskless(new VmId("v"), "db", BYTES, 1,
      new ProgramSpec("uniform", Map.of(), BYTES, 1));
  private static final String FILE = StateFiles.name(SPEC.id(), new MigrationId("saved"));

  private final HostMemory memory = new HostMemory(BYTES);
  private final VmFactory factory = new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM);
  private final ScriptedRow row = new ScriptedRow();
  private final OpenDialogues open = new OpenDialogues();
  private final List<IncomingGuest> adopted = new CopyOnWriteArrayList<>();
  @TempDir
  private Path directory;
  private SavedStates states;

  @BeforeEach
  void save() throws Exception {
    states = new SavedStates(directory);
    try (VirtualMachine vm = Booted.vm(factory, SPEC, 1)) {
      PageBitmap pages = new PageBitmap(vm.ram().pageCount());
      vm.addWritten(pages);
      SavedStateWriter.write(states.path(FILE),
          StateMessages.toHeader(vm.spec(), new OwnershipEpoch(1), vm.state(), false).toByteArray(), vm.ram(), pages,
          Packing.NONE, done -> {
          });
    }
  }

  @AfterEach
  void close() {
    adopted.forEach(IncomingGuest::close);
  }

  /** Restores in the background; the promise is the failure's message, or "runs". */
  private Promise<String> restore() {
    IncomingMigrations incoming = new IncomingMigrations(factory, GuestDisks.NONE, Optional.of(states),
        new OwnershipDialogue.Line(row, Scheduler.SYSTEM, new Random(1), open), () -> {
        }, (guest, epoch) -> adopted.add(guest), (migration, vm) -> MigrationLog.SILENT,
        new Failpoints(Optional.empty()));
    Promise<String> end = Scheduler.SYSTEM.newPromise();
    var unused = Scheduler.SYSTEM.start("restore", () -> {
      try {
        double seconds = incoming.restoration(new MigrationId("r-1"), SPEC, EPOCH).run(FILE, bytes -> {
        });
        end.complete(seconds >= 0 ? "runs" : "took " + seconds);
      } catch (Exception e) {
        end.complete(String.valueOf(e.getMessage()));
      }
    });
    return end;
  }

  @Test
  void aGuestThatIsThisHostsRuns() throws Exception {
    row.resolved(new Decision(Outcome.COMMITTED, "here", 2));
    assertThat(restore().await(PATIENCE)).contains("runs");
    assertThat(adopted).singleElement().satisfies(guest -> assertThat(guest.awaitFirstSign(30_000)).isNotZero());
  }

  @Test
  void aGuestThatIsNotIsDiscarded() throws Exception {
    row.resolved(new Decision(Outcome.ABORTED, "", 1));
    assertThat(restore().await(PATIENCE)).hasValueSatisfying(
        reason -> assertThat(reason).contains("aborted by the coordinator"));
    assertThat(adopted).isEmpty();
    await().until(() -> memory.freeBytes() == BYTES);
  }

  @Test
  void aGuestWhoseFileCannotBeReadIsDiscardedUnasked() throws Exception {
    states.delete(FILE);
    Promise<String> end = restore();
    assertThat(end.await(PATIENCE)).isPresent();
    assertThat(open.doubts()).isEmpty();
    await().until(() -> memory.freeBytes() == BYTES);
  }

  @Test
  void aGuestThatTheRecordsDoNotKnowStaysPausedUntilTheCoordinatorsWord() throws Exception {
    row.resolved(new Decision(Outcome.UNKNOWN, "", 0));
    Promise<String> end = restore();
    await().until(() -> !open.doubts().isEmpty());
    assertThat(open.doubts()).singleElement().satisfies(doubt -> assertThat(doubt.epoch()).isEqualTo(EPOCH));
    assertThat(memory.freeBytes()).as("it is still here").isZero();
    open.hear(SPEC.id(), CoordinatorsWord.epochIsOver(EPOCH, false));

    assertThat(end.await(PATIENCE)).hasValueSatisfying(reason -> assertThat(reason).contains("ORDERED"));
    assertThat(adopted).isEmpty();
    await().until(() -> memory.freeBytes() == BYTES);
  }
}
