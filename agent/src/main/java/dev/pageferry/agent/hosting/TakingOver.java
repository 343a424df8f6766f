package dev.pageferry.agent.hosting;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.LeftGuest;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes over the guests that the agent before left running on this host. They reach neither disks nor networks until the row has
 * said that they are this agent's: meanwhile they may have been started elsewhere.
 */
public final class TakingOver implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TakingOver.class);
  private static final Duration DISKS = Duration.ofSeconds(60);
  private static final Duration RETRY = Duration.ofSeconds(1);
  private static final Duration ENDS = Duration.ofSeconds(5);

  private final HostedGuests guests;
  private final OwnershipDialogue.Line line;
  private final ActivationLease lease;
  private final Scheduler scheduler;
  private final List<Claimed> left = new ArrayList<>();
  private final List<Task> tasks = new ArrayList<>();

  /** Nobody builds or receives that guest meanwhile. */
  private record Claimed(LeftGuest guest, GuestClaims.Claim claim) {
  }

  public TakingOver(List<LeftGuest> found, HostedGuests guests, GuestClaims claims, OwnershipDialogue.Line line,
      ActivationLease lease) {
    this.guests = guests;
    this.line = line;
    this.lease = lease;
    this.scheduler = line.scheduler();
    found.forEach(each -> left.add(
        new Claimed(each, claims.takeToBuild(each.guest().spec().id(), "being taken over from the agent before"))));
  }

  /** Begins; this host registers meanwhile. */
  public void start() {
    for (Claimed each : left) {
      tasks.add(scheduler.startBlocking("take-over-" + each.guest().guest().spec().name(), () -> takeOver(each)));
    }
  }

  private void takeOver(Claimed claimed) {
    LeftGuest found = claimed.guest();
    String vm = found.guest().spec().name();
    try (GuestClaims.Claim _ = claimed.claim()) {
      switch (ask(found)) {
        case Ruling.Ours ours -> run(found, ours);
        case Ruling.NotOurs notOurs -> {
          log.warn("vm={} was left running by the agent before, and ends: it is {}", vm, notOurs);
          found.end();
        }
      }
    } catch (InterruptedException e) {
      found.leave();
      scheduler.current().interrupt();
    } catch (RuntimeException | Error e) {
      log.error("vm={} was not taken over", vm, e);
      fail(found, e.toString());
    }
  }

  /** Its memory is not to stay for ever. */
  private void fail(LeftGuest found, String reason) {
    if (guests.has(found.guest())) {
      found.fail(reason);
    } else {
      found.end();
    }
  }

  private Ruling.Final ask(LeftGuest found) throws InterruptedException {
    String vm = found.guest().spec().name();
    OwnershipDialogue dialogue = OwnershipDialogue.ofHeir(line, found.guest().spec().id(), found.epoch(),
        new DialogueLog(
            reason -> log.warn(
                "vm={} was left here by the agent before, and is stopped until the coordinator says whose it is: {}",
                vm,
                reason),
            ruling -> log.info("vm={} was left by the agent before: {}", vm, ruling)));
    return dialogue.takeOver(found.agents());
  }

  private void run(LeftGuest found, Ruling.Ours ours) throws InterruptedException {
    IncomingGuest vm = found.guest();
    String name = vm.spec().name();
    // Ahead of all else: orders and heartbeats find it.
    guests.adopt(vm, ours.epoch());
    try {
      openDisks(vm, DiskClaim.afterSilence(vm.spec().id().value(), ours.epoch().value(), false));
      // All that may have taken its time: who was frozen meanwhile finds its lease over.
      lease.awaitLive();
      if (guests.has(vm)) {
        found.attach();
      }
      if (!guests.has(vm)) {
        found.end();
        return;
      }
    } catch (IOException e) {
      String reason = IoFailure.sentence(e);
      log.error("vm={} was not taken over: {}", name, reason);
      fail(found, reason);
      return;
    }
    guests.connect(vm);
    vm.runOn(ours);
    log.info("vm={} goes on under epoch {}", name, ours.epoch());
  }

  /** The storage may be away for a moment, as this agent was. */
  private void openDisks(IncomingGuest vm, DiskClaim claim) throws IOException, InterruptedException {
    long end = scheduler.nanos() + DISKS.toNanos();
    while (true) {
      try {
        vm.openDisks(claim);
        return;
      } catch (IOException e) {
        if (scheduler.nanos() > end || !guests.has(vm)) {
          throw e;
        }
        log.warn("vm={} its disks cannot be opened yet: {}", vm.spec().name(), IoFailure.sentence(e));
        scheduler.sleep(RETRY);
      }
    }
  }

  /** What is not known yet is left to the next agent. */
  @Override
  public void close() throws InterruptedException {
    tasks.forEach(Task::interrupt);
    for (Task each : tasks) {
      if (!each.join(ENDS)) {
        log.warn("a guest that was left by the agent before is still being taken over");
      }
    }
  }
}
