package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.Registration;
import dev.pageferry.coordinator.machines.HostGuests;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** Hosts come, and say every second that they are still there. */
final class RegistryService extends HostRegistryGrpc.HostRegistryImplBase {
  private final HostInventory inventory;
  private final OwnershipLedger ledger;
  private final NetworkMembers network;
  private final Duration heartbeatInterval;
  private final Duration lease;

  RegistryService(HostInventory inventory, OwnershipLedger ledger, NetworkMembers network, Duration heartbeatInterval,
      Duration lease) {
    this.inventory = inventory;
    this.ledger = ledger;
    this.network = network;
    this.heartbeatInterval = heartbeatInterval;
    this.lease = lease;
  }

  @Override
  public void register(RegisterRequest request, StreamObserver<RegisterResponse> observer) {
    Refusals.answer(observer, () -> {
      HostId id = new HostId(request.getHostId());
      Incarnation incarnation = new Incarnation(request.getIncarnation());
      Registration registration = inventory.register(
          HostRecord.newBuilder().setId(id.value()).setIncarnation(incarnation.value()).setAddress(request.getAddress())
              .setMigrationAddress(request.getMigrationAddress()).setMemoryBytes(request.getMemoryBytes())
              .setVersion(request.getVersion()).setStorageId(request.getStorageId())
              .setVxlanAddress(request.getVxlanAddress()).setBootId(request.getBootId())
              .build(),
          request.getMemoryFreeBytes(),
          request.getEndedIncarnationsList().stream().map(Incarnation::new).collect(Collectors.toSet()),
          new HostGuests(ledger)::unfenced);
      return answer(id, registration);
    });
  }

  private RegisterResponse answer(HostId id, Registration registration) {
    RegisterResponse.Builder response = RegisterResponse.newBuilder()
        .setHeartbeatIntervalMillis(heartbeatInterval.toMillis());
    return switch (registration) {
      case Registration.Accepted accepted -> response.setLeaseMillis(lease.toMillis()).build();
      case Registration.Taken taken -> response.setRefusal(RegisterResponse.Refusal.TAKEN)
          .setReason(
              "host %s is the agent at %s, which was heard of just now; give this one another --host-id, or end that one"
                  .formatted(id, address(id)))
          .build();
      case Registration.Wait(Duration atLeast) -> response.setRefusal(RegisterResponse.Refusal.WAIT)
          .setWaitMillis(Math.max(1, atLeast.toMillis()))
          .setReason(
              "host %s was the agent at %s, which is not known to have ended; this one is taken in after %s s of its silence"
                  .formatted(id, address(id), Math.ceilDiv(atLeast.toMillis(), 1000)))
          .build();
      case Registration.Unconfirmed(List<String> guests) -> response.setRefusal(RegisterResponse.Refusal.WAIT)
          .setReason(
              "host %s was the agent at %s, and may still run %s there, which no lease on shared storage would end; if it is off, say so by 'ferry host confirm-dead %s'"
                  .formatted(id, address(id), HostGuests.named(guests), id))
          .build();
      case Registration.Busy busy -> throw Status.UNAVAILABLE
          .withDescription("another registration of host %s is being written down".formatted(id)).asRuntimeException();
      case Registration.Superseded superseded -> response.setRefusal(RegisterResponse.Refusal.SUPERSEDED)
          .setReason(
              "host %s was silent, and another incarnation of it, at %s, has taken its place, or an operator has confirmed it dead"
                  .formatted(id, address(id)))
          .build();
    };
  }

  private String address(HostId id) {
    return inventory.find(id).map(host -> host.record().getAddress()).orElse("an unknown address");
  }

  @Override
  public void heartbeat(HeartbeatRequest request, StreamObserver<HeartbeatResponse> observer) {
    Refusals.answer(observer, () -> {
      HostId id = new HostId(request.getHostId());
      if (!inventory.heartbeat(id, new Incarnation(request.getIncarnation()), request.getMemoryFreeBytes(),
          request.getVmsList())) {
        return HeartbeatResponse.newBuilder().setUnknown(true).build();
      }
      HeartbeatResponse.Builder response = HeartbeatResponse.newBuilder().setLeaseMillis(lease.toMillis());
      network.heard(id, request.getNetworkVersion());
      NetworkDirectory directory = network.directoryFor(id);
      boolean knowsSome = request.getNetworkVersion() != 0;
      if (directory.getVersion() != request.getNetworkVersion() && (network.isComplete() || !knowsSome)) {
        response.setNetwork(directory);
      }
      for (VmStatus each : request.getVmsList()) {
        if (isStale(id, each)) {
          response.addStaleVms(StaleVm.newBuilder().setId(each.getId()).setEpoch(each.getEpoch())
              .setRunsElsewhere(runsElsewhere(id, each)));
        }
      }
      return response.build();
    });
  }

  /**
   * Whether a copy is of no use any more. The paused copy of a VM that was committed elsewhere is kept until it is known
   * to run there.
   */
  private boolean isStale(HostId host, VmStatus reported) {
    VmId id = new VmId(reported.getId());
    Optional<Row> row = ledger.find(id);
    if (row.isEmpty()) {
      // A VM that was never heard of is not ours to destroy: these may be the records that are lost, not the VM.
      return ledger.wasDeleted(id);
    }
    VmRecord record = row.get().record();
    if (record.getEpoch() <= reported.getEpoch()) {
      return isOnNoHost(record);
    }
    if (record.getOwnerHost().equals(host.value()) || isOnNoHost(record)) {
      return true;
    }
    return isWithItsOwner(id, record);
  }

  private boolean isWithItsOwner(VmId id, VmRecord record) {
    return inventory.find(new HostId(record.getOwnerHost())).flatMap(owner -> Optional.ofNullable(owner.vms().get(id)))
        .filter(there -> there.getEpoch() >= record.getEpoch()).isPresent();
  }

  /** Only then may a host also throw the disks away that went from it with the VM. */
  private boolean runsElsewhere(HostId host, VmStatus reported) {
    VmId id = new VmId(reported.getId());
    return ledger.find(id).map(Row::record).filter(record -> record.getEpoch() > reported.getEpoch()
        && !record.getOwnerHost().equals(host.value()) && isWithItsOwner(id, record)).isPresent();
  }

  private static boolean isOnNoHost(VmRecord record) {
    return record.getPhase() == VmRecord.Phase.STOPPED || record.getPhase() == VmRecord.Phase.SAVED;
  }
}
