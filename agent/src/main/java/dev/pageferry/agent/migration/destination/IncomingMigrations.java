package dev.pageferry.agent.migration.destination;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.guest.GuestBuilder;
import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.DestinationLink;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.IncomingDirectory;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.ProtocolVersion;
import dev.pageferry.agent.migration.destination.DestinationMigration.Ending;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.migration.MigrationLimits;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.Welcome;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The migrations that the coordinator announced to this host, those that are on their way, and how the newest {@value
 * #MAX_REMEMBERED} ended: so a coordinator that asks late is still answered.
 */
public final class IncomingMigrations implements IncomingDirectory {
  /** What data streams prove to know; too long to be guessed. */
  private static final int SESSION_KEY_BYTES = 32;
  private static final int MAX_REMEMBERED = 16;
  private static final String SHUTTING_DOWN = "this agent is shutting down";
  private static final Duration DISCARD_WAIT = Duration.ofSeconds(10);

  /** What is known of a migration. */
  public enum State {
    UNKNOWN,
    EXPECTED,
    RECEIVING,
    READY,
    RUNNING,
    DISCARDED
  }

  private record Expectation(GuestSpec spec, OwnershipEpoch epoch, Manner manner, Pass pass, Deadline expiry) {
  }

  /**
   * By what a source is let in.
   *
   * @param source the host that is to come
   * @param token that it was given, of one use
   */
  public record Pass(HostId source, byte[] token) {
    /** @param peer who came, by its certificate; empty: nobody is known here by one */
    boolean fits(byte[] presented, Optional<HostId> peer) {
      return MessageDigest.isEqual(token, presented) && peer.filter(it -> !it.equals(source)).isEmpty();
    }
  }

  /** A migration on its way, or how one ended: nothing that holds the guest, its memory or its tables. */
  private sealed interface Arrival {
    record Active(DestinationMigration migration, Task task) implements Arrival {
      State state() {
        return State.valueOf(migration.phase().name());
      }
    }

    record Ended(State state) implements Arrival {
    }
  }

  private final DestinationMigration.Environment environment;
  /** Guarded by this. */
  private final Map<MigrationId, Expectation> expected = new HashMap<>();
  /** Guarded by this; the oldest ended ones are forgotten. */
  private final Map<MigrationId, Arrival> started = new LinkedHashMap<>();
  /** Guarded by this. This agent ends: what came now would end with it. */
  private boolean closing;

  public IncomingMigrations(GuestBuilder guests, GuestDisks disks, Optional<SavedStates> savedStates,
      OwnershipDialogue.Line line, ActivationLease lease,
      ActiveGuests activeGuests,
      MigrationLog.Factory logs, Failpoints failpoints) {
    environment = new DestinationMigration.Environment(guests, disks, savedStates, line, lease, activeGuests,
        logs, failpoints);
  }

  /**
   * Announces a migration: its source may connect, once.
   *
   * <p>The coordinator lets a VM have one migration at a time. So any other one of the same VM that is still here is over,
   * however alive its half-dead source looks; it is told to end, and the answer waits until its memory is free, for at most
   * 10 s. One that runs its guest already is left alone.
   *
   * @param manner how its contents come
   * @throws IllegalStateException if this agent is shutting down
   */
  public void expect(MigrationId migration, GuestSpec spec, OwnershipEpoch epoch, Manner manner, Pass pass,
      Duration validFor) throws InterruptedException {
    endOthersOf(migration, spec);
    synchronized (this) {
      if (closing) {
        throw new IllegalStateException(SHUTTING_DOWN);
      }
      expected.values().removeIf(each -> each.expiry().hasPassed() || each.spec().id().equals(spec.id()));
      expected.put(migration,
          new Expectation(spec, epoch, manner, pass, Deadline.after(validFor, environment.ticker())));
    }
  }

  private void endOthersOf(MigrationId migration, GuestSpec spec) throws InterruptedException {
    for (Map.Entry<MigrationId, Arrival.Active> each : activeNow().entrySet()) {
      boolean other = !each.getKey().equals(migration)
          && each.getValue().migration().session().spec().id().equals(spec.id());
      if (other && each.getValue().task().isAlive()
          && each.getValue().migration().phase() != DestinationMigration.Phase.RUNNING) {
        // A closed link makes it end by the protocol: discard, or ask the coordinator first if it was READY.
        each.getValue().migration().session().link().close();
        boolean _ = each.getValue().task().join(DISCARD_WAIT);
      }
    }
  }

  private synchronized Map<MigrationId, Arrival.Active> activeNow() {
    Map<MigrationId, Arrival.Active> active = new LinkedHashMap<>();
    started.forEach((id, arrival) -> {
      if (arrival instanceof Arrival.Active each) {
        active.put(id, each);
      }
    });
    return active;
  }

  @Override
  public synchronized void admit(Hello hello, DestinationLink link) throws MigrationFailure {
    if (closing) {
      throw refused(SHUTTING_DOWN);
    }
    MigrationId migration = migrationId(hello);
    Expectation expectation = expected.get(migration);
    if (expectation == null || expectation.expiry().hasPassed()
        || !expectation.pass().fits(hello.getToken().toByteArray(), link.peer())) {
      // One answer for all of them, so that a stranger learns nothing from it.
      throw refused("no migration '%s' is expected here with this token".formatted(migration));
    }
    expected.remove(migration);
    int version = Math.min(hello.getHighestVersion(), ProtocolVersion.CURRENT);
    if (version < Math.max(hello.getLowestVersion(), ProtocolVersion.LOWEST)) {
      throw refused("protocol versions %d to %d are not spoken here; this host speaks %d to %d".formatted(
          hello.getLowestVersion(),
          hello.getHighestVersion(), ProtocolVersion.LOWEST, ProtocolVersion.CURRENT));
    }
    if (hello.getStreams() < 1 || hello.getStreams() > MigrationLimits.MAX_STREAMS) {
      throw refused(
          "%d data streams are not between 1 and %d".formatted(hello.getStreams(), MigrationLimits.MAX_STREAMS));
    }
    byte[] sessionKey = new byte[SESSION_KEY_BYTES];
    environment.line().random().nextBytes(sessionKey);
    link.send(Welcome.newBuilder().setVersion(version).setSessionKey(ByteString.copyFrom(sessionKey)).build());
    start(new DestinationSession(migration, expectation.spec(), expectation.epoch(), expectation.manner(),
        hello.getStreams(), sessionKey,
        environment.logs().of(migration, expectation.spec().name()), link, environment));
  }

  /** What brings a saved guest back to life here. */
  public RestoreOperation restoration(MigrationId operation, GuestSpec spec, OwnershipEpoch epoch) {
    return new RestoreOperation(operation, spec, epoch, environment);
  }

  private void start(DestinationSession session) {
    DestinationMigration migration = new DestinationMigration(session);
    Task task = environment.scheduler().start("incoming-" + session.migration(), () -> {
      try {
        migration.run();
      } finally {
        ended(session.migration());
      }
    });
    started.put(session.migration(), new Arrival.Active(migration, task));
    started.entrySet().removeIf(each -> started.size() > MAX_REMEMBERED && each.getValue() instanceof Arrival.Ended);
  }

  private synchronized void ended(MigrationId migration) {
    if (started.get(migration) instanceof Arrival.Active active) {
      started.replace(migration, new Arrival.Ended(active.state()));
    }
  }

  /** Whether none has come since the agent started, and none is expected. */
  public synchronized boolean hasHadNone() {
    return expected.isEmpty() && started.isEmpty();
  }

  /** How many are on their way; those that are only announced do not count. */
  public int underWay() {
    return activeNow().size();
  }

  /** The VMs that are on their way and do not run here yet; those that do are among this host's guests by then. */
  public List<VmId> arriving() {
    return activeNow().values().stream().map(Arrival.Active::migration)
        .filter(each -> each.phase() != DestinationMigration.Phase.RUNNING).map(each -> each.session().spec().id())
        .toList();
  }

  /** What is known here of a migration. */
  public synchronized State state(MigrationId migration) {
    if (expected.containsKey(migration)) {
      return State.EXPECTED;
    }
    return switch (started.get(migration)) {
      case null -> State.UNKNOWN;
      case Arrival.Active active -> active.state();
      case Arrival.Ended ended -> ended.state();
    };
  }

  private static void end(Arrival.Active active, Ending how) {
    active.migration().end(how);
    active.task().interrupt();
  }

  /**
   * Tells a guest that has come, and does not run yet, which epochs are over.
   *
   * @return whether there is one: it is not among this host's guests, and may be in a moment
   */
  public boolean hear(VmId vm, CoordinatorsWord word) {
    boolean isComing = false;
    for (Arrival.Active each : activeNow().values()) {
      if (each.migration().session().spec().id().equals(vm) && each.state() == State.READY) {
        each.migration().hear(word);
        isComing |= each.state() == State.READY;
      }
    }
    return isComing;
  }

  /** Takes no more in: what is still received, or in doubt, is left to {@link #close}. */
  public synchronized void refuseMore() {
    closing = true;
    expected.clear();
  }

  /**
   * Ends all migrations, and takes no more in. A guest that is still received is discarded. One that is in doubt waits for the
   * row's ruling, and goes back to its source if it was committed here and has not run; what is not decided in time is left as
   * it is, as if this process had been killed: the row and the other host settle it.
   */
  public void close(Duration atMost) throws InterruptedException {
    refuseMore();
    Collection<Arrival.Active> all = activeNow().values();
    all.forEach(each -> end(each, Ending.NEAR));
    Deadline deadline = Deadline.after(atMost, environment.ticker());
    for (Arrival.Active each : all) {
      boolean _ = each.task().join(Duration.ofNanos(deadline.remainingNanos()));
    }
    all.forEach(each -> end(each, Ending.NOW));
  }

  private static MigrationId migrationId(Hello hello) throws MigrationFailure {
    try {
      return new MigrationId(hello.getMigrationId());
    } catch (IllegalArgumentException e) {
      throw refused(String.valueOf(e.getMessage()));
    }
  }

  private static MigrationFailure refused(String message) {
    return new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED, message);
  }
}
