package dev.pageferry.agent.hosting;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.migration.ActivationLease;
import dev.pageferry.agent.migration.DialogueLog;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.agent.ownership.Ruling;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds VMs on this host and lets them do their first step. To fill memory may take any length of time, in which the VM may
 * be stopped, deleted or started elsewhere: so it is among this host's guests before it is filled, where orders and
 * heartbeats find it, and the row is asked before its first step.
 */
public final class VmCreation {
  private static final Logger log = LoggerFactory.getLogger(VmCreation.class);

  private final GuestKind machines;
  private final HostedGuests guests;
  private final GuestClaims claims;
  private final OwnershipDialogue.Line line;
  private final ActivationLease lease;
  private final Failpoints failpoints;

  public VmCreation(GuestKind machines, HostedGuests guests, GuestClaims claims, OwnershipDialogue.Line line,
      ActivationLease lease, Failpoints failpoints) {
    this.machines = machines;
    this.guests = guests;
    this.claims = claims;
    this.line = line;
    this.lease = lease;
    this.failpoints = failpoints;
  }

  /**
   * Builds a VM and lets it run, unless it is to be paused.
   *
   * @param forceDisks whether to take disks whose last holder is not known to have let go
   * @throws IOException if its image or a disk cannot be used
   * @throws IllegalStateException if it is here already, or not this host's any more
   */
  public void run(GuestSpec spec, OwnershipEpoch epoch, boolean paused, boolean forceDisks)
      throws IOException, OutOfMemoryException, InterruptedException {
    try (GuestClaims.Claim claim = claims.takeToBuild(spec.id(), "being created")) {
      machines.check(spec);
      OwnershipDialogue dialogue = OwnershipDialogue.ofBuilder(line, spec.id(), epoch, listener(spec));
      dialogue.listens();
      try {
        IncomingGuest vm = adopted(spec, epoch);
        build(vm, epoch, paused, forceDisks);
        start(vm, dialogue);
      } finally {
        dialogue.ends();
      }
    }
  }

  private IncomingGuest adopted(GuestSpec spec, OwnershipEpoch epoch)
      throws OutOfMemoryException, InterruptedException {
    IncomingGuest vm = machines.skeleton(spec);
    try {
      guests.adopt(vm, epoch);
      return vm;
    } catch (IllegalStateException e) {
      vm.close();
      throw e;
    }
  }

  private void build(IncomingGuest vm, OwnershipEpoch epoch, boolean paused, boolean forceDisks)
      throws IOException, InterruptedException {
    Set<PauseReason> reasons = paused ? EnumSet.of(PauseReason.OPERATOR) : EnumSet.noneOf(PauseReason.class);
    boolean built = false;
    try {
      vm.boot(DiskClaim.afterSilence(vm.spec().id().value(), epoch.value(), forceDisks), reasons);
      failpoints.at("create.before-started");
      built = true;
    } finally {
      if (!built) {
        guests.discardUnbuilt(vm);
      }
    }
  }

  private void start(IncomingGuest vm, OwnershipDialogue dialogue) throws InterruptedException {
    switch (dialogue.started()) {
      case Ruling.Ours ours -> {
        // The answer may have taken its time: who was frozen meanwhile finds its lease over.
        lease.awaitLive();
        if (!guests.has(vm)) {
          throw new IllegalStateException("VM %s was stopped before it ran".formatted(vm.spec().name()));
        }
        guests.connect(vm);
        vm.runOn(ours);
      }
      case Ruling.NotOurs notOurs -> {
        guests.givenAway(vm, notOurs);
        throw new IllegalStateException("VM %s was built too late: it is %s".formatted(vm.spec().name(), notOurs));
      }
    }
  }

  private static OwnershipDialogue.Listener listener(GuestSpec spec) {
    return new DialogueLog(
        reason -> log.warn("vm={} is built and stays paused until the coordinator says that it may start: {}",
            spec.name(), reason),
        ruling -> log.info("vm={} is built: {}", spec.name(), ruling));
  }
}
