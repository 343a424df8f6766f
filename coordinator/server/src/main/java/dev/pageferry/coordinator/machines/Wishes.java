package dev.pageferry.coordinator.machines;

import dev.pageferry.common.identity.Names;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.records.v1.Availability;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * What an operator wishes for a VM when its host stops, with defaults where the row says nothing.
 *
 * @param priority 0 to {@value #MAX_PRIORITY}, the higher the earlier
 * @param prefer hosts, the best first
 * @param apartFrom VMs with the same group are to be on different hosts; empty: none
 */
public record Wishes(Ha.Name ha, int priority, List<String> prefer, String apartFrom) {
  private static final int DEFAULT_PRIORITY = 500;
  private static final int MAX_PRIORITY = 1000;

  public Wishes {
    prefer = List.copyOf(prefer);
  }

  public static Wishes of(VmRecord record) {
    Availability recorded = record.getAvailability();
    return new Wishes(ha(recorded.getHa()), recorded.hasPriority() ? recorded.getPriority() : DEFAULT_PRIORITY,
        recorded.getPreferList(), recorded.getApartFrom());
  }

  private static Ha.Name ha(Availability.Ha recorded) {
    return switch (recorded) {
      case HA_UNSPECIFIED, AUTO -> Ha.Name.AUTO;
      case ON -> Ha.Name.ON;
      // A wish of a later version: whatever it is, nothing is done that it may exclude.
      case OFF, UNRECOGNIZED -> Ha.Name.OFF;
    };
  }

  /** What the row says once a request is carried out; what that does not name stays. */
  static Availability changed(Availability before, SetVmRequest request) {
    Availability.Builder next = before.toBuilder();
    switch (request.getHa()) {
      case AUTO -> next.setHa(Availability.Ha.AUTO);
      case ON -> next.setHa(Availability.Ha.ON);
      case OFF -> next.setHa(Availability.Ha.OFF);
      case HA_UNSPECIFIED, UNRECOGNIZED -> {
        // Stays.
      }
    }
    if (request.hasPriority()) {
      next.setPriority(request.getPriority());
    }
    if (request.hasPrefer()) {
      next.clearPrefer().addAllPrefer(request.getPrefer().getHostsList());
    }
    if (request.hasApartFrom()) {
      next.setApartFrom(request.getApartFrom());
    }
    return next.build();
  }

  /** @throws RequestException if the request asks for nothing, or for what cannot be */
  static void check(SetVmRequest request, HostInventory inventory) throws RequestException {
    if (request.getHa() == Ha.Name.UNRECOGNIZED) {
      throw new RequestException(Kind.INVALID, "ha is auto, on or off; this coordinator knows no other");
    }
    if (request.getHa() == Ha.Name.HA_UNSPECIFIED && !request.hasPriority() && !request.hasPrefer()
        && !request.hasApartFrom()) {
      throw new RequestException(Kind.INVALID, "nothing is to be set; name ha, priority, prefer or apart-from");
    }
    if (request.getPriority() < 0 || request.getPriority() > MAX_PRIORITY) {
      throw new RequestException(Kind.INVALID, "priority %d is not from 0 to %d", request.getPriority(), MAX_PRIORITY);
    }
    Set<String> named = new HashSet<>();
    for (String each : request.getPrefer().getHostsList()) {
      var _ = RequestedHost.find(inventory, each);
      if (!named.add(each)) {
        throw new RequestException(Kind.INVALID, "host %s is preferred twice; name each once", each);
      }
    }
    if (!request.getApartFrom().isEmpty()) {
      checkGroup(request.getApartFrom());
    }
  }

  private static void checkGroup(String name) throws RequestException {
    try {
      var _ = Names.check("group", name);
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }
}
