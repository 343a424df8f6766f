package dev.pageferry.coordinator.membership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.availability.MembershipLeases;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostContent;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.InDoubt;
import dev.pageferry.coordinator.inventory.Registration;
import dev.pageferry.coordinator.machines.HostGuests;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.StaleCopies;
import dev.pageferry.coordinator.ownership.StaleCopies.Verdict;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What becomes of a host that registers, and what one that beats is told of its VMs and of its networks. Any thread. */
public final class Membership {
  /** Far more than one coordinator can watch; what it remembers of hosts is bounded all the same. */
  private static final int MAX_HOSTS = 1000;

  private final HostInventory inventory;
  private final HostGuests guests;
  private final StaleCopies staleCopies;
  private final RecordsHistory history;
  private final RecordsRepairs repairs;
  private final NetworkMembers network;
  private final Admissions admissions;
  private final MembershipLeases leases;

  public Membership(HostInventory inventory, OwnershipLedger ledger, RecordsHistory history, RecordsRepairs repairs,
      NetworkMembers network, Admissions admissions, MembershipLeases leases) {
    this.leases = leases;
    this.admissions = admissions;
    this.inventory = inventory;
    this.guests = new HostGuests(ledger);
    this.staleCopies = new StaleCopies(ledger, (host, vm) -> inventory.find(host)
        .flatMap(owner -> Optional.ofNullable(owner.vms().get(vm))).map(it -> new OwnershipEpoch(it.getEpoch())));
    this.history = history;
    this.repairs = repairs;
    this.network = network;
  }

  /**
   * Takes a host in, or says why not.
   *
   * @param ended incarnations of it that ended on the boot that the record names
   */
  public Registration register(HostRecord host, long memoryFreeBytes, Set<Incarnation> ended) {
    if (inventory.find(new HostId(host.getId())).isEmpty() && inventory.list().size() >= MAX_HOSTS) {
      return new Registration.Refused(
          "this cluster has %d hosts, and no more fit; 'ferry host delete' makes room".formatted(MAX_HOSTS));
    }
    if (history.isInTrouble()) {
      // Whoever lives is heard, and nobody is told that another has its place: these records do not know.
      return inventory.hearOnly(host, memoryFreeBytes, ended);
    }
    Registration registration = inventory.register(host, memoryFreeBytes, ended, guests::unfenced);
    history.hostHeard();
    return registration;
  }

  /**
   * As {@link #register}, of a host that is known by its certificate: one that no operator has admitted, by its name or by a
   * token, is refused, whatever it has seen of the records: what it says could not be trusted.
   *
   * @param token empty: none
   */
  public Registration registerMember(HostRecord host, long memoryFreeBytes, Set<Incarnation> ended, String token) {
    HostId id = new HostId(host.getId());
    if (admissions.isOver(id, new Incarnation(host.getIncarnation()))) {
      return new Registration.Superseded();
    }
    if (admissions.isRevoked(id)) {
      return new Registration.Refused("host %s was revoked; 'ferry host admit %s' admits it again".formatted(id, id));
    }
    if (inventory.list().stream().anyMatch(each -> !each.id().equals(id) && each.isUp()
        && each.record().getAddress().equals(host.getAddress()))) {
      return new Registration.Refused(
          "another host that is up has the address %s; give host %s its own".formatted(host.getAddress(), id));
    }
    if (!admissions.isAdmitted(id) && !admissions.redeem(id, token)) {
      return new Registration.Refused(token.isEmpty()
          ? "host %s is not admitted; 'ferry host admit %s' does, or a token, by 'ferry host admit --token'"
              .formatted(id, id)
          : "host %s is not admitted, and its token is of no use (any more); 'ferry host admit %s' does".formatted(id,
              id));
    }
    return register(host, memoryFreeBytes, ended);
  }

  /**
   * Whether a host that is known by its certificate may not beat; one whose incarnation is over is told so when it registers
   * again.
   */
  public boolean isShutOut(HostId host, Incarnation incarnation) {
    return admissions.isRevoked(host) && !admissions.isOver(host, incarnation);
  }

  /**
   * What a host says every second.
   *
   * @param coming VMs that are being received, restored or built there, until they are among vms
   * @param bound VMs that work there only as long as the membership lease lasts
   * @param networkVersion of the directory that it has; 0: none
   */
  public record Beat(HostId host, Incarnation incarnation, long memoryFreeBytes, List<VmStatus> vms,
      List<InDoubt> doubts, Set<VmId> coming, Map<VmId, MembershipLeases.Said> bound, long networkVersion) {
  }

  /** A copy of a VM that is of no use any more. */
  public record Stale(VmId vm, OwnershipEpoch epoch, boolean runsElsewhere) {
  }

  /**
   * What it is told.
   *
   * @param network where it is to know another one
   * @param lease of its VMs that have no disks
   */
  public record Heard(List<Stale> stale, Optional<NetworkDirectory> network, MembershipLeases.Answer lease) {
  }

  /** @return empty for an incarnation that is not the host's, or may be so no more */
  public Optional<Heard> beat(Beat beat) throws InterruptedException {
    HostId host = beat.host();
    if (!inventory.heartbeat(host, beat.incarnation(), beat.memoryFreeBytes(),
        new HostContent(beat.vms(), beat.doubts(), beat.coming()))) {
      return Optional.empty();
    }
    history.hostHeard();
    Set<VmId> has = new LinkedHashSet<>(beat.bound().keySet());
    beat.vms().forEach(each -> has.add(new VmId(each.getId())));
    MembershipLeases.Answer lease = leases.heard(host, beat.incarnation(), has, beat.bound(),
        history.isInTrouble());
    Optional<NetworkDirectory> directory = network.news(host, beat.networkVersion());
    List<Stale> stale = new ArrayList<>();
    for (VmStatus each : beat.vms()) {
      judge(host, new VmId(each.getId()), new OwnershipEpoch(each.getEpoch())).ifPresent(stale::add);
    }
    if (history.isInTrouble()) {
      // Be it for what another host has seen, or for what this one said last: these records may not judge anything.
      stale.clear();
    }
    repairs.heartbeatCame(host);
    return Optional.of(new Heard(stale, directory, lease));
  }

  private Optional<Stale> judge(HostId host, VmId vm, OwnershipEpoch epoch) throws InterruptedException {
    return switch (staleCopies.judge(host, vm, epoch)) {
      case Verdict.Keep() -> Optional.empty();
      case Verdict.Destroy destroy -> Optional.of(new Stale(vm, epoch, destroy.runsElsewhere()));
      case Verdict.Impossible impossible -> {
        history.suspect(impossible.evidence());
        yield Optional.empty();
      }
    };
  }
}
