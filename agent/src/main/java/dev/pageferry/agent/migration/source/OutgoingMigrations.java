package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.migration.source.SourceMigration.Environment;
import dev.pageferry.agent.migration.source.SourceMigration.Order;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The migrations that leave this host, and for a while those that ended. */
public final class OutgoingMigrations {
  private static final Logger log = LoggerFactory.getLogger(OutgoingMigrations.class);
  /** Each keeps the page tables of its guest until it is forgotten. */
  private static final int MAX_REMEMBERED = 16;

  private record Entry(VmId vm, SourceMigration migration, Task task) {
  }

  private final Environment environment;
  private final GuestClaims claims;
  private final Consumer<SourceStatus> meters;
  /** Guarded by this. */
  private final Map<MigrationId, Entry> entries = new LinkedHashMap<>();

  /** @param meters hears every change of every migration */
  public OutgoingMigrations(Environment environment, GuestClaims claims, Consumer<SourceStatus> meters) {
    this.environment = environment;
    this.claims = claims;
    this.meters = meters;
  }

  /**
   * Starts a migration on a thread of its own. A second order with the same id changes nothing.
   *
   * @throws IllegalStateException if another migration of the VM is under way
   */
  public synchronized void start(Order order) {
    if (entries.containsKey(order.migration())) {
      return;
    }
    VmId vm = order.guest().spec().id();
    ofVm(vm).ifPresent(other -> {
      throw new IllegalStateException("VM %s is being migrated already".formatted(order.guest().spec().name()));
    });
    GuestClaims.Claim claim = claims.take(vm, "being moved by migration " + order.migration());
    SourceMigration migration = new SourceMigration(order, environment);
    migration.follow(meters);
    entries.entrySet().removeIf(each -> entries.size() >= MAX_REMEMBERED && !each.getValue().task().isAlive());
    Task task = environment.scheduler().start("outgoing-" + order.migration(), () -> {
      try (claim) {
        migration.run();
      } catch (InterruptedException e) {
        log.warn("migration={} interrupted: this agent is shutting down", order.migration());
      }
    });
    entries.put(order.migration(), new Entry(vm, migration, task));
  }

  public synchronized Optional<SourceMigration> find(MigrationId migration) {
    return Optional.ofNullable(entries.get(migration)).map(Entry::migration);
  }

  /** Whether there has been none yet. */
  public synchronized boolean isEmpty() {
    return entries.isEmpty();
  }

  /** The migration of a VM that is under way, if any. */
  public synchronized Optional<SourceMigration> ofVm(VmId vm) {
    return entries.values().stream().filter(each -> each.vm().equals(vm) && each.task().isAlive())
        .map(Entry::migration).findAny();
  }

  /** Interrupts all migrations; the ownership rows, not this process, decide what becomes of their VMs. */
  public synchronized void close() {
    for (Entry each : entries.values()) {
      each.task().interrupt();
    }
  }
}
