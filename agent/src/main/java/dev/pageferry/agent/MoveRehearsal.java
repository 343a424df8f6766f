package dev.pageferry.agent;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.migration.source.SourceOptions;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipClient.NoAnswerException;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.transport.CongestionControl;
import dev.pageferry.agent.transport.EventLoops;
import dev.pageferry.agent.transport.MigrationClient;
import dev.pageferry.agent.transport.MigrationServer;
import dev.pageferry.agent.transport.MigrationTls;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves tiny guests from this host to itself, over real sockets on loopback, right after the agent has started. A JVM
 * runs code slowly until it has run it often; without this the first guests of a host would pay for that in blackout.
 * It is a self-test of the data path as well: a host on which it fails says so in its log.
 */
final class MoveRehearsal {
  private static final Logger log = LoggerFactory.getLogger(MoveRehearsal.class);
  private static final int MOVES = 150;
  private static final Duration LONGEST = Duration.ofSeconds(15);
  private static final Duration ONE_MOVE = Duration.ofSeconds(5);
  private static final long GUEST_BYTES = 8L << 20;
  private static final OwnershipEpoch EPOCH = new OwnershipEpoch(1);
  private static final HostPort ANY_PORT = new HostPort("127.0.0.1", 0);

  private final HostMemory memory = new HostMemory(8 * GUEST_BYTES);
  private final VmFactory factory = new VmFactory(memory, GuestDisks.NONE, Ticker.SYSTEM);
  private final OwnershipDialogue.Line line;
  private final CongestionControl congestionControl;
  private final HostId self;
  private final MigrationTls tls;

  /** The way that a question goes to the coordinator, and its answer back. */
  interface Way {
    void walk() throws NoAnswerException, InterruptedException;
  }

  /**
   * Grants every commit, since nobody but this rehearsal knows its guests, and walks the way to the coordinator and back all
   * the same.
   */
  private record Granting(Way coordinator) implements OwnershipClient {
    @Override
    public Decision commit(VmId vm, MigrationId migration) throws InterruptedException {
      try {
        coordinator.walk();
      } catch (NoAnswerException e) {
        // Then that way stays cold; the rest is rehearsed.
      }
      return new Decision(Outcome.COMMITTED, "rehearsal", 2);
    }

    @Override
    public Decision resolve(VmId vm, MigrationId migration) {
      return new Decision(Outcome.ABORTED, "rehearsal", 1);
    }

    @Override
    public Decision noteSaved(VmId vm, MigrationId migration) {
      return new Decision(Outcome.PENDING, "rehearsal", 1);
    }

    @Override
    public Decision giveBack(VmId vm, MigrationId migration) {
      return new Decision(Outcome.COMMITTED, "rehearsal", 2);
    }

    @Override
    public Decision started(VmId vm, OwnershipEpoch epoch) {
      return new Decision(Outcome.COMMITTED, "rehearsal", epoch.value());
    }

    @Override
    public Promise<Duration> probe(Duration atMost) {
      Promise<Duration> granted = Scheduler.SYSTEM.newPromise();
      granted.complete(Duration.ZERO);
      return granted;
    }
  }

  private MoveRehearsal(HostId self, MigrationTls tls, Way coordinator, CongestionControl congestionControl) {
    this.self = self;
    this.tls = tls;
    this.line = new OwnershipDialogue.Line(new Granting(coordinator), Scheduler.SYSTEM, new SecureRandom());
    this.congestionControl = congestionControl;
  }

  /**
   * Rehearses in the background.
   *
   * @param self this host, which is at both ends
   * @param wanted asked before each move: a real migration is not to share the processors with this
   */
  static void start(HostId self, MigrationTls tls, Way coordinator, CongestionControl congestionControl,
      BooleanSupplier wanted) {
    Thread.ofPlatform().daemon().name("rehearsal").priority(Thread.MIN_PRIORITY).start(() -> {
      try (EventLoops loops = new EventLoops(2)) {
        new MoveRehearsal(self, tls, coordinator, congestionControl).run(loops, wanted);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } catch (Exception e) {
        log.warn("the rehearsal failed; migrations from or to this host may fail too: {}", e.toString());
      }
    });
  }

  private void run(EventLoops loops, BooleanSupplier wanted) throws Exception {
    long start = System.nanoTime();
    IncomingMigrations incoming = new IncomingMigrations(factory, GuestDisks.NONE, Optional.empty(), line, () -> {
    }, (vm, epoch) -> closeSoon(vm), (migration, vm) -> MigrationLog.SILENT,
        new Failpoints(Optional.empty()));
    int moves = 0;
    try (MigrationServer server = MigrationServer.listen(loops, ANY_PORT, tls, incoming)) {
      while (moves < MOVES && wanted.getAsBoolean() && System.nanoTime() - start < LONGEST.toNanos()) {
        move(moves++, loops, incoming, new HostPort("127.0.0.1", server.port()));
      }
    } finally {
      incoming.close(Duration.ZERO);
    }
    log.info("rehearsed {} moves in {} ms", moves, Duration.ofNanos(System.nanoTime() - start).toMillis());
  }

  private void move(int number, EventLoops loops, IncomingMigrations incoming, HostPort destination) throws Exception {
    MigrationId migration = new MigrationId("rehearsal-" + number);
    ProgramSpec program = new ProgramSpec("uniform", Map.of("rate", "50MB/s", "fill", "random"), GUEST_BYTES, 1);
    VmSpec spec = VmSpec.diskless(new VmId(migration.value()), migration.value(), GUEST_BYTES, 1, program);
    CountDownLatch moved = new CountDownLatch(1);
    byte[] token = migration.value().getBytes(StandardCharsets.US_ASCII);
    try (IncomingGuest guest = factory.skeleton(spec)) {
      guest.boot(DiskClaim.orderly(spec.id().value(), EPOCH.value()), Set.of());
      guest.runOn(OwnershipDialogue.ofSource(line, spec.id(), migration, EPOCH, new DialogueLog(MigrationLog.SILENT))
          .neverAsked());
      incoming.expect(migration, spec, EPOCH, new Manner.Live(false), new IncomingMigrations.Pass(self, token),
          ONE_MOVE);
      SourceMigration.Environment environment = new SourceMigration.Environment(
          new MigrationClient(loops, congestionControl, tls),
          line, GuestDisks.NONE, Optional.empty(), (given, ruling) -> moved.countDown(),
          (id, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()));
      SourceMigration source = new SourceMigration(
          new SourceMigration.Order(migration, EPOCH, guest, self.value(), destination, token,
              new SourceOptions(Duration.ofMillis(300), 0, 2, SourceOptions.OnStall.SWITCH, ONE_MOVE),
              new Manner.Live(false)),
          environment);
      Thread thread = Thread.ofVirtual().start(() -> {
        try {
          source.run();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
        }
      });
      if (!moved.await(ONE_MOVE.toMillis(), TimeUnit.MILLISECONDS)) {
        thread.interrupt();
        throw new IllegalStateException(
            "a guest did not reach this same host within " + ONE_MOVE + ": " + source.status());
      }
    }
  }

  /** The guest has served once it runs; its memory goes back a moment after its last report. */
  private static void closeSoon(IncomingGuest vm) {
    Thread.ofVirtual().start(() -> {
      try {
        vm.awaitFirstSign(ONE_MOVE.toMillis());
        vm.close();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    });
  }
}
