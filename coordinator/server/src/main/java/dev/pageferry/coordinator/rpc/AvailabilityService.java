package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.availability.HostDeaths;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.CheckHaRequest;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.PlaceVmRequest;
import dev.pageferry.proto.cluster.v1.VmPlacement;
import io.grpc.stub.StreamObserver;

/** What would become of VMs if hosts stopped, for operators and viewers. */
final class AvailabilityService extends AvailabilityGrpc.AvailabilityImplBase {
  private final HostDeaths deaths;

  AvailabilityService(HostDeaths deaths) {
    this.deaths = deaths;
  }

  @Override
  public void placeVm(PlaceVmRequest request, StreamObserver<VmPlacement> observer) {
    CoordinatorReplies.answer(observer, () -> deaths.place(request.getName()));
  }

  @Override
  public void checkHa(CheckHaRequest request, StreamObserver<CheckHaResponse> observer) {
    CoordinatorReplies.answer(observer, deaths::check);
  }
}
