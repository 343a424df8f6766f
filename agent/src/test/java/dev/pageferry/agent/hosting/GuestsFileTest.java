package dev.pageferry.agent.hosting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.os.OsProcess;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class GuestsFileTest {
  private static final long BYTES = 1L << 20;
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(1);

  @TempDir
  Path directory;

  private final HostMemory memory = new HostMemory(8 * BYTES);
  private final HostedGuests guests = new HostedGuests();

  @AfterEach
  void close() {
    guests.close();
    memory.close();
  }

  private IncomingGuest guest(String id) throws Exception {
    return new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM).skeleton(
        VmSpec.diskless(new VmId(id), id, BYTES, 1, new ProgramSpec("idle", Map.of(), BYTES, 1)));
  }

  private static List<String> lines(int guests) {
    OsProcess self = OsProcess.of(ProcessHandle.current().pid()).orElseThrow();
    return List.of("pageferry-guests 1", "pid=" + self.pid(), "started=" + self.startTicks(), "ram-dir=/dev/shm",
        "builtin=" + guests, "ending=" + guests, "end");
  }

  @Test
  void theFileSaysHowManyGuestsAreHereAsTheyComeAndGo() throws Exception {
    Path file = directory.resolve("host-a@coordinator.guests");
    try (GuestsFile unused = GuestsFile.keep(file, guests, new GuestsFile.QemuHolding(Path.of("/dev/shm"), true),
        Scheduler.SYSTEM)) {
      assertThat(Files.readAllLines(file)).isEqualTo(lines(0));

      guests.adopt(guest("a"), EPOCH);
      guests.adopt(guest("b"), EPOCH);
      awaitLines(file, 2);

      assertThat(guests.destroy(new VmId("a"), CoordinatorsWord.epochIsOver(EPOCH, true))).isTrue();
      awaitLines(file, 1);
    }
    assertThat(Files.list(directory)).as("nothing half written is left").containsExactly(file);
  }

  private static void awaitLines(Path file, int guests) {
    await().atMost(Duration.ofSeconds(20))
        .untilAsserted(() -> assertThat(Files.readAllLines(file)).isEqualTo(lines(guests)));
  }
}
