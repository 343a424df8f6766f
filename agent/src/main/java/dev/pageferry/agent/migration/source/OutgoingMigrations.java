package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.migration.source.SourceMigration.Environment;
import dev.pageferry.agent.migration.source.SourceMigration.Order;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The migrations that leave this host, and for a while those that ended. */
public final class OutgoingMigrations {
  private static final Logger log = LoggerFactory.getLogger(OutgoingMigrations.class);
  private static final int MAX_REMEMBERED = 16;

  /** A migration under way, or what is asked of one that ended: nothing that holds the guest, its memory or its tables. */
  private sealed interface Entry {
    record Running(VmId vm, SourceMigration migration, Task task) implements Entry {
    }

    record Ended(SourceStatus status) implements Entry, Departure {
      @Override
      public void follow(Consumer<SourceStatus> follower) {
        follower.accept(status);
      }

      @Override
      public void unfollow(Consumer<SourceStatus> follower) {
        // Nobody is told of anything any more.
      }

      @Override
      public boolean cancel() {
        return false;
      }
    }
  }

  private final Environment environment;
  private final GuestClaims claims;
  private final Consumer<SourceStatus> meters;
  /** Guarded by this. */
  private final Map<MigrationId, Entry> entries = new LinkedHashMap<>();
  /** Guarded by this. */
  private boolean closing;

  /** @param meters hears every change of every migration */
  public OutgoingMigrations(Environment environment, GuestClaims claims, Consumer<SourceStatus> meters) {
    this.environment = environment;
    this.claims = claims;
    this.meters = meters;
  }

  /**
   * Starts a migration on a thread of its own. A second order with the same id changes nothing.
   *
   * @throws IllegalStateException if another migration of the VM is under way, or this agent is shutting down
   */
  public synchronized void start(Order order) {
    if (entries.containsKey(order.migration())) {
      return;
    }
    if (closing) {
      throw new IllegalStateException("this agent is shutting down");
    }
    VmId vm = order.guest().spec().id();
    ofVm(vm).ifPresent(other -> {
      throw new IllegalStateException("VM %s is being migrated already".formatted(order.guest().spec().name()));
    });
    GuestClaims.Claim claim = claims.take(vm, "being moved by migration " + order.migration());
    SourceMigration migration = new SourceMigration(order, environment);
    migration.follow(meters);
    Task task = environment.scheduler().start("outgoing-" + order.migration(), () -> {
      try (claim) {
        migration.run();
      } catch (InterruptedException e) {
        log.warn("migration={} interrupted: this agent is shutting down", order.migration());
      } finally {
        ended(order.migration(), migration);
      }
    });
    entries.entrySet()
        .removeIf(each -> entries.size() >= MAX_REMEMBERED && each.getValue() instanceof Entry.Ended);
    entries.put(order.migration(), new Entry.Running(vm, migration, task));
  }

  /**
   * Saves a guest and takes it off this host; on any failure it runs on here. Waits for the end.
   *
   * @param progress told the pages looked at, by any thread
   * @throws IllegalStateException if something else is done with the guest
   * @throws IOException with the reason for which it was not saved
   */
  public SaveOperation.Saved save(MigrationId operation, OwnershipEpoch epoch, Guest guest, Packing packing,
      LongConsumer progress) throws IOException, InterruptedException {
    // Whoever has the guest's claim gives it back; nothing between the two may keep it.
    GuestClaims.Claim claim = claims.take(guest.spec().id(), "being saved");
    return new SaveOperation(operation, epoch, guest, environment, claim).run(packing, progress);
  }

  private synchronized void ended(MigrationId id, SourceMigration migration) {
    entries.replace(id, new Entry.Ended(migration.status()));
  }

  public synchronized Optional<Departure> find(MigrationId migration) {
    return Optional.ofNullable(entries.get(migration)).map(entry -> switch (entry) {
      case Entry.Running running -> running.migration();
      case Entry.Ended ended -> ended;
    });
  }

  /** Whether none has gone since the agent started. */
  public synchronized boolean hasHadNone() {
    return entries.isEmpty();
  }

  /** How many go now; the saves of guests do not count. */
  public synchronized int underWay() {
    return (int) entries.values().stream().filter(Entry.Running.class::isInstance).count();
  }

  /** The migration of a VM that is under way, if any. */
  public synchronized Optional<SourceMigration> ofVm(VmId vm) {
    return running().filter(each -> each.vm().equals(vm)).map(Entry.Running::migration).findAny();
  }

  /** Interrupts all migrations, and begins no more; the ownership rows, not this process, decide what becomes of their VMs. */
  public synchronized void close() {
    closing = true;
    running().forEach(each -> each.task().interrupt());
  }

  private Stream<Entry.Running> running() {
    return entries.values().stream().filter(Entry.Running.class::isInstance).map(Entry.Running.class::cast);
  }
}
