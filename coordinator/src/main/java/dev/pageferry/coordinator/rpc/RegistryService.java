package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.history.RecordsHistory;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Registration;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.StaleCopies;
import dev.pageferry.coordinator.ownership.StaleCopies.Verdict;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Optional;

/** Hosts come, and say every second that they are still there. */
public final class RegistryService extends HostRegistryGrpc.HostRegistryImplBase {
  private final HostInventory inventory;
  private final StaleCopies staleCopies;
  private final RecordsHistory history;
  private final RecordsRepairs repairs;
  private final NetworkMembers network;
  private final Duration heartbeatInterval;
  private final Duration lease;

  public RegistryService(HostInventory inventory, OwnershipLedger ledger, RecordsHistory history, RecordsRepairs repairs,
      NetworkMembers network, Duration heartbeatInterval, Duration lease) {
    this.inventory = inventory;
    this.history = history;
    this.repairs = repairs;
    this.staleCopies = new StaleCopies(ledger, (host, vm) -> inventory.find(host)
        .flatMap(owner -> Optional.ofNullable(owner.vms().get(vm))).map(it -> new OwnershipEpoch(it.getEpoch())));
    this.network = network;
    this.heartbeatInterval = heartbeatInterval;
    this.lease = lease;
  }

  @Override
  public void register(RegisterRequest request, StreamObserver<RegisterResponse> observer) {
    Refusals.answer(observer, () -> {
      HostId id = new HostId(request.getHostId());
      Incarnation incarnation = new Incarnation(request.getIncarnation());
      HostRecord record = HostRecord.newBuilder().setId(id.value()).setIncarnation(incarnation.value())
          .setAddress(request.getAddress())
          .setMigrationAddress(request.getMigrationAddress()).setMemoryBytes(request.getMemoryBytes())
          .setVersion(request.getVersion()).setStorageId(request.getStorageId())
          .setVxlanAddress(request.getVxlanAddress())
          .build();
      if (history.isInTrouble()) {
        // Whoever lives is heard, and nobody is told that another has its place: these records do not know.
        inventory.hearOnly(record, request.getMemoryFreeBytes());
        return RegisterResponse.newBuilder().setHeartbeatIntervalMillis(heartbeatInterval.toMillis())
            .setLeaseMillis(lease.toMillis()).build();
      }
      Registration registration = inventory.register(record, request.getMemoryFreeBytes());
      history.hostHeard();
      RegisterResponse.Builder response = RegisterResponse.newBuilder()
          .setHeartbeatIntervalMillis(heartbeatInterval.toMillis());
      return switch (registration) {
        case ACCEPTED -> response.setLeaseMillis(lease.toMillis()).build();
        case TAKEN -> response.setRefusal(RegisterResponse.Refusal.TAKEN)
            .setReason(
                "host %s is the agent at %s, which was heard of just now; give this one another --host-id, or end that one"
                    .formatted(id, inventory.find(id).orElseThrow().record().getAddress()))
            .build();
        case SUPERSEDED -> response.setRefusal(RegisterResponse.Refusal.SUPERSEDED)
            .setReason("host %s was silent, and another life of it, at %s, has taken its place"
                .formatted(id, inventory.find(id).orElseThrow().record().getAddress()))
            .build();
      };
    });
  }

  @Override
  public void heartbeat(HeartbeatRequest request, StreamObserver<HeartbeatResponse> observer) {
    Refusals.answer(observer, () -> {
      HostId id = new HostId(request.getHostId());
      if (!inventory.heartbeat(id, new Incarnation(request.getIncarnation()), request.getMemoryFreeBytes(),
          request.getVmsList())) {
        return HeartbeatResponse.newBuilder().setUnknown(true).build();
      }
      history.hostHeard();
      HeartbeatResponse.Builder response = HeartbeatResponse.newBuilder().setLeaseMillis(lease.toMillis());
      network.heard(id, request.getNetworkVersion());
      NetworkDirectory directory = network.directoryFor(id);
      boolean knowsSome = request.getNetworkVersion() != 0;
      if (directory.getVersion() != request.getNetworkVersion() && (network.isComplete() || !knowsSome)) {
        response.setNetwork(directory);
      }
      for (VmStatus each : request.getVmsList()) {
        judge(id, each).ifPresent(response::addStaleVms);
      }
      repairs.heartbeatCame(id);
      return response.build();
    });
  }

  private Optional<StaleVm> judge(HostId host, VmStatus reported) throws InterruptedException {
    Verdict verdict = staleCopies.judge(host, new VmId(reported.getId()), new OwnershipEpoch(reported.getEpoch()));
    return switch (verdict) {
      case Verdict.Keep() -> Optional.empty();
      // Not while the records are in doubt, be it for what another host has seen.
      case Verdict.Destroy destroy -> history.isInTrouble()
          ? Optional.empty()
          : Optional.of(StaleVm.newBuilder().setId(reported.getId()).setEpoch(reported.getEpoch())
              .setRunsElsewhere(destroy.runsElsewhere()).build());
      case Verdict.Impossible impossible -> {
        history.suspect(impossible.evidence());
        yield Optional.empty();
      }
    };
  }
}
