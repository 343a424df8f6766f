package dev.pageferry.coordinator.rpc;

import com.google.protobuf.Timestamp;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.availability.Failover;
import dev.pageferry.coordinator.availability.HostDeaths;
import dev.pageferry.proto.cluster.v1.ArmHaRequest;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.CheckHaRequest;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.FenceStatus;
import dev.pageferry.proto.cluster.v1.GetHaStatusRequest;
import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.HostFencing;
import dev.pageferry.proto.cluster.v1.PlaceVmRequest;
import dev.pageferry.proto.cluster.v1.SetFencingRequest;
import dev.pageferry.proto.cluster.v1.TestFencingRequest;
import dev.pageferry.proto.cluster.v1.VmPlacement;
import dev.pageferry.proto.cluster.v1.WaitingVm;
import io.grpc.stub.StreamObserver;
import java.util.List;

/** What becomes of VMs when hosts stop, for operators and viewers. */
final class AvailabilityService extends AvailabilityGrpc.AvailabilityImplBase {
  private final HostDeaths deaths;
  private final Failover failover;

  AvailabilityService(HostDeaths deaths, Failover failover) {
    this.deaths = deaths;
    this.failover = failover;
  }

  @Override
  public void placeVm(PlaceVmRequest request, StreamObserver<VmPlacement> observer) {
    CoordinatorReplies.answer(observer, () -> deaths.place(request.getName()));
  }

  @Override
  public void checkHa(CheckHaRequest request, StreamObserver<CheckHaResponse> observer) {
    CoordinatorReplies.answer(observer, deaths::check);
  }

  @Override
  public void getHaStatus(GetHaStatusRequest request, StreamObserver<HaStatus> observer) {
    CoordinatorReplies.answer(observer, this::status);
  }

  @Override
  public void armHa(ArmHaRequest request, StreamObserver<HaStatus> observer) {
    CoordinatorReplies.answer(observer, () -> {
      failover.arm(request.getArmed());
      return status();
    });
  }

  @Override
  public void setFencing(SetFencingRequest request, StreamObserver<HostFencing> observer) {
    CoordinatorReplies.answer(observer, () -> fencing(request.getHost(),
        failover.fences().set(request.getHost(), request.getDevicesList(), request.getUnchecked())));
  }

  @Override
  public void testFencing(TestFencingRequest request, StreamObserver<HostFencing> observer) {
    CoordinatorReplies.answer(observer, () -> fencing(request.getHost(), failover.fences().test(request.getHost())));
  }

  private HostFencing fencing(String host, List<FenceStatus> statuses) {
    return HostFencing.newBuilder().setHost(host).addAllDevices(failover.fences().devices(new HostId(host)))
        .addAllStatuses(statuses).build();
  }

  private HaStatus status() {
    HaStatus.Builder status = HaStatus.newBuilder().setArmed(failover.settings().isArmed());
    failover.settings().disarmedAt()
        .ifPresent(each -> status.setDisarmedAt(Timestamp.newBuilder().setSeconds(each.getEpochSecond())
            .setNanos(each.getNano())));
    failover.waiting().forEach(each -> status.addWaiting(WaitingVm.newBuilder().setVm(each.vm()).setHost(each.host())
        .setReason(each.reason()).setAttempts(each.attempts())));
    return status.build();
  }
}
