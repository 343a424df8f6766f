package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.availability.MembershipLeases;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.InDoubt;
import dev.pageferry.coordinator.inventory.Registration;
import dev.pageferry.coordinator.machines.HostGuests;
import dev.pageferry.coordinator.membership.Membership;
import dev.pageferry.coordinator.membership.Membership.Beat;
import dev.pageferry.coordinator.membership.Membership.Heard;
import dev.pageferry.coordinator.ownership.HostQuestions;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StaleVm;
import dev.pageferry.proto.registry.v1.VmInDoubt;
import dev.pageferry.proto.registry.v1.VmUnderEpoch;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Hosts come, and say every second that they are still there. */
public final class RegistryService extends HostRegistryGrpc.HostRegistryImplBase {
  private final Membership membership;
  private final HostInventory inventory;
  private final Duration heartbeatInterval;
  private final Duration lease;

  public RegistryService(Membership membership, HostInventory inventory, Duration heartbeatInterval, Duration lease) {
    this.membership = membership;
    this.inventory = inventory;
    this.heartbeatInterval = heartbeatInterval;
    this.lease = lease;
  }

  @Override
  public void register(RegisterRequest request, StreamObserver<RegisterResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      HostId id = new HostId(request.getHostId());
      Incarnation incarnation = new Incarnation(request.getIncarnation());
      HostRecord record = HostRecord.newBuilder().setId(id.value()).setIncarnation(incarnation.value())
          .setAddress(request.getAddress())
          .setMigrationAddress(request.getMigrationAddress()).setMemoryBytes(request.getMemoryBytes())
          .setVersion(request.getVersion()).setStorageId(request.getStorageId())
          .setVxlanAddress(request.getVxlanAddress()).setBootId(request.getBootId()).build();
      Set<Incarnation> ended = request.getEndedIncarnationsList().stream().map(Incarnation::new)
          .collect(Collectors.toSet());
      Optional<HostId> asking = Caller.current().host();
      HostQuestions.requireSelf(asking, id);
      Registration registration = asking.isEmpty()
          ? membership.register(record, request.getMemoryFreeBytes(), ended)
          : membership.registerMember(record, request.getMemoryFreeBytes(), ended, request.getJoinToken());
      RegisterResponse answer = answer(id, registration);
      if (answer.getRefusal() == RegisterResponse.Refusal.WAIT
          || answer.getRefusal() == RegisterResponse.Refusal.TAKEN) {
        requireThisVersion(answer.getReason());
      }
      return answer;
    });
  }

  /** An agent of the version before would end itself with its guests, though these records may be older than it is. */
  private static void requireThisVersion(String reason) {
    if (!CallersVersion.isThis()) {
      throw Status.UNAVAILABLE.withDescription(reason).asRuntimeException();
    }
  }

  private RegisterResponse answer(HostId id, Registration registration) {
    RegisterResponse.Builder response = RegisterResponse.newBuilder()
        .setHeartbeatIntervalMillis(heartbeatInterval.toMillis());
    return switch (registration) {
      case Registration.Accepted accepted -> {
        noteConnection(id);
        yield response.setLeaseMillis(lease.toMillis()).build();
      }
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
      case Registration.Refused(String reason) -> response.setRefusal(RegisterResponse.Refusal.WAIT).setReason(reason)
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
    CoordinatorReplies.answer(observer, () -> {
      HostId host = new HostId(request.getHostId());
      HostQuestions.requireSelf(Caller.current().host(), host);
      if (Caller.current().host().isPresent()
          && membership.isShutOut(host, new Incarnation(request.getIncarnation()))) {
        throw Status.PERMISSION_DENIED.withDescription("host %s was revoked; 'ferry host admit %s' admits it again"
            .formatted(host, host)).asRuntimeException();
      }
      Optional<Heard> heard = membership.beat(beat(request));
      heard.ifPresent(_ -> noteConnection(host));
      return heard.map(this::answer).orElseGet(() -> HeartbeatResponse.newBuilder().setUnknown(true).build());
    });
  }

  private void noteConnection(HostId host) {
    Caller.current().connection().ifPresent(it -> inventory.connections().heard(host, it));
  }

  private static Beat beat(HeartbeatRequest request) {
    return new Beat(new HostId(request.getHostId()), new Incarnation(request.getIncarnation()),
        request.getMemoryFreeBytes(), request.getVmsList(),
        request.getInDoubtList().stream().map(RegistryService::doubt).toList(),
        request.getComingVmsList().stream().map(VmId::new).collect(Collectors.toSet()),
        request.getBoundVmsList().stream().collect(
            Collectors.toMap(each -> new VmId(each.getId()), RegistryService::said, (a, b) -> b)),
        request.getNetworkVersion());
  }

  private static MembershipLeases.Said said(VmUnderEpoch told) {
    return new MembershipLeases.Said(
        new MembershipLeases.Binding(new OwnershipEpoch(told.getEpoch()), told.getToken()), told.getRunOut());
  }

  private static InDoubt doubt(VmInDoubt told) {
    return new InDoubt(new VmId(told.getVmId()), new MigrationId(told.getMigrationId()),
        new OwnershipEpoch(told.getEpoch()), told.getReason());
  }

  private HeartbeatResponse answer(Heard heard) {
    HeartbeatResponse.Builder response = HeartbeatResponse.newBuilder().setLeaseMillis(lease.toMillis());
    heard.network().ifPresent(response::setNetwork);
    heard.lease().binds().forEach((vm, binding) -> response.addBindVms(VmUnderEpoch.newBuilder().setId(vm.value())
        .setEpoch(binding.epoch().value()).setToken(binding.token())));
    heard.lease().frees().forEach(each -> response.addFreeVms(each.value()));
    response.setMembershipMillis(MembershipLeases.LEASE.toMillis());
    heard.stale().forEach(each -> response.addStaleVms(StaleVm.newBuilder().setId(each.vm().value())
        .setEpoch(each.epoch().value()).setRunsElsewhere(each.runsElsewhere())));
    return response.build();
  }
}
