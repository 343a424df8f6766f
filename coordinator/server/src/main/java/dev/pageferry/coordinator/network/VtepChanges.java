package dev.pageferry.coordinator.network;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestedChange;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.DeleteVtepRequest;
import dev.pageferry.proto.cluster.v1.Vtep;
import java.util.Optional;

/** Changes of tunnel ends as requests, which may be repeated. */
public final class VtepChanges {
  private final NetworkMembers network;

  public VtepChanges(NetworkMembers network) {
    this.network = network;
  }

  public Vtep add(AddVtepRequest request, RequestedChange change) throws RequestException {
    Optional<Vtep> there = doneBefore(request.getName(), change).filter(
        each -> each.getAddress().equals(request.getAddress()) && each.getVni() == request.getVni());
    return there.isPresent() ? there.get() : network.add(request.getName(), request.getAddress(), request.getVni());
  }

  public void delete(DeleteVtepRequest request, RequestedChange change) throws RequestException {
    if (!change.isRepeated() || doneBefore(request.getName(), change).isPresent()) {
      network.delete(request.getName());
    }
  }

  /** The tunnel end of that name, where the request may have been carried out before. */
  private Optional<Vtep> doneBefore(String name, RequestedChange change) {
    return change.isRepeated()
        ? network.list().stream().filter(each -> each.getName().equals(name)).findFirst()
        : Optional.empty();
  }
}
