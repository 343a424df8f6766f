package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.Displaced;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.PendingMigration;
import dev.pageferry.proto.records.v1.VmRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An operator's word that a host which is silent is off. Nothing but that word tells a host that died from one that is cut
 * off and goes on: so it is asked for with what it would lose if it were wrong, and is remembered for good.
 */
public final class DeadHosts {
  private static final Logger log = LoggerFactory.getLogger(DeadHosts.class);

  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final HostGuests guests;

  /**
   * What is known of a host.
   *
   * @param silence since it was last heard; empty: not since this coordinator started
   * @param consequences a line for each VM that it had, or may have
   * @param confirmed whether it is taken for dead, as far as it may be
   */
  public record Findings(Host host, Optional<Duration> silence, List<String> consequences, boolean confirmed) {
    public Findings {
      consequences = List.copyOf(consequences);
    }
  }

  public DeadHosts(HostInventory inventory, OwnershipLedger ledger) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.guests = new HostGuests(ledger);
  }

  /** What is known of the host, and what would become of its VMs. */
  public Findings look(String name) throws RequestException {
    Host host = RequestedHost.find(inventory, name);
    List<String> consequences = new ArrayList<>();
    guests.of(host.id(), host.incarnation()).forEach(each -> consequences.add(consequence(host, each)));
    ledger.list().stream().filter(each -> isOnItsWayTo(host, each.record()))
        .forEach(each -> consequences.add("VM %s: is on its way to the host; that is aborted, and it stays what it is"
            .formatted(each.record().getSpec().getName())));
    displaced(host).forEach(each -> consequences.add(
        "incarnation %s, whose place this one took while nothing was noted: may run VMs of which nobody hears"
            .formatted(
                each.incarnation())));
    return new Findings(host, inventory.silenceOf(host.id()), consequences, host.isConfirmedDead());
  }

  private List<Displaced> displaced(Host host) {
    return inventory.displaced().stream().filter(each -> each.host().equals(host.id())).toList();
  }

  /**
   * Takes the operator's word, for the incarnation that he was shown, and for those whose place it took while nothing was
   * noted. A second one changes nothing.
   *
   * @param incarnation that was shown; empty: whatever it is
   */
  public Findings confirm(String name, String incarnation) throws RequestException {
    Findings findings = look(name);
    Host host = findings.host();
    if (!incarnation.isEmpty() && !incarnation.equals(host.incarnation().value())) {
      throw new RequestException(Kind.REFUSED, "host %s has a newer incarnation, %s, than %s; look at it again",
          host.id(),
          host.incarnation(), incarnation);
    }
    List<Displaced> displaced = displaced(host);
    if (!host.isUp() && !host.isConfirmedDead() || displaced.isEmpty()) {
      confirmItself(findings);
    }
    displaced.stream().filter(inventory::confirmDisplaced).forEach(
        each -> log.warn("audit: host={} incarnation={} confirmed dead by an operator", each.host(),
            each.incarnation()));
    return new Findings(RequestedHost.find(inventory, name), findings.silence(), findings.consequences(), true);
  }

  private void confirmItself(Findings findings) throws RequestException {
    Host host = findings.host();
    if (host.isConfirmedDead()) {
      return;
    }
    switch (inventory.confirmDead(host.id(), host.incarnation(), "")) {
      case CONFIRMED -> {
      }
      case STILL_HEARD -> throw new RequestException(Kind.REFUSED,
          "host %s is heard, or was until a moment ago; only a host that is DOWN can be confirmed dead", host.id());
      case CHANGED -> throw new RequestException(Kind.REFUSED, "host %s registers right now; look at it again",
          host.id());
    }
    log.warn("audit: host={} incarnation={} address={} confirmed dead by an operator, silent for {}: {}", host.id(),
        host.incarnation(), host.record().getAddress(),
        findings.silence().map(each -> each.toSeconds() + " s").orElse("as long as this coordinator runs"),
        findings.consequences().isEmpty() ? "it had no VMs" : String.join("; ", findings.consequences()));
  }

  private static String consequence(Host host, Row row) {
    VmRecord record = row.record();
    Optional<VmStatus> reported = Optional.ofNullable(host.vms().get(new VmId(record.getSpec().getId())));
    String seen = reported.map(each -> "last reported %s at step %d".formatted(each.getState(), each.getSteps()))
        .orElse("not reported since this coordinator started");
    String fence = HostGuests.isFenced(record)
        ? "its disks on storage %s are written by one host at a time, whatever is said here"
            .formatted(record.getStorageId())
        : "it has no disks, so that nothing ends it if the host lives: two copies could run";
    String memory = record.getPending().getKind() == PendingMigration.Kind.MOVE && record.getPending().hasSavedState()
        ? "its memory is whole in a file"
        : "its memory is lost";
    return "VM %s (epoch %d): %s; %s; %s".formatted(record.getSpec().getName(), record.getEpoch(), seen, memory, fence);
  }

  private static boolean isOnItsWayTo(Host host, VmRecord record) {
    return record.hasPending() && record.getPending().getDestinationHost().equals(host.id().value())
        && record.getPending().getDestinationIncarnation().equals(host.incarnation().value());
  }
}
