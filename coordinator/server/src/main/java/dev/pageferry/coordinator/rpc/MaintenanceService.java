package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.maintenance.Maintenance;
import dev.pageferry.coordinator.maintenance.RollingDrains;
import dev.pageferry.proto.cluster.v1.ActivateHostRequest;
import dev.pageferry.proto.cluster.v1.BeginRollingRequest;
import dev.pageferry.proto.cluster.v1.CancelPlanRequest;
import dev.pageferry.proto.cluster.v1.DrainHostRequest;
import dev.pageferry.proto.cluster.v1.GetPlanRequest;
import dev.pageferry.proto.cluster.v1.ListPlansRequest;
import dev.pageferry.proto.cluster.v1.ListPlansResponse;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.NoteRollingRequest;
import dev.pageferry.proto.cluster.v1.RebalanceRequest;
import dev.pageferry.proto.cluster.v1.Rolling;
import io.grpc.stub.StreamObserver;

/** Planned work, for operators; viewers see what comes of it. */
final class MaintenanceService extends MaintenanceGrpc.MaintenanceImplBase {
  private final Maintenance maintenance;
  private final RollingDrains rolling;

  MaintenanceService(Maintenance maintenance, RollingDrains rolling) {
    this.maintenance = maintenance;
    this.rolling = rolling;
  }

  @Override
  public void drainHost(DrainHostRequest request, StreamObserver<MovePlan> observer) {
    CoordinatorReplies.answer(observer,
        () -> maintenance.drain(request.getHost(), request.getQuick(), request.getDryRun()));
  }

  @Override
  public void activateHost(ActivateHostRequest request, StreamObserver<MovePlan> observer) {
    CoordinatorReplies.answer(observer, () -> maintenance.activate(request.getHost(), !request.getNoFailBack()));
  }

  @Override
  public void rebalance(RebalanceRequest request, StreamObserver<MovePlan> observer) {
    CoordinatorReplies.answer(observer, () -> maintenance.rebalance(request.getDryRun()));
  }

  @Override
  public void getPlan(GetPlanRequest request, StreamObserver<MovePlan> observer) {
    CoordinatorReplies.answer(observer, () -> maintenance.plan(request.getId()));
  }

  @Override
  public void listPlans(ListPlansRequest request, StreamObserver<ListPlansResponse> observer) {
    CoordinatorReplies.answer(observer,
        () -> ListPlansResponse.newBuilder().addAllPlans(maintenance.list()).build());
  }

  @Override
  public void cancelPlan(CancelPlanRequest request, StreamObserver<MovePlan> observer) {
    CoordinatorReplies.answer(observer, () -> maintenance.cancel(request.getId()));
  }

  @Override
  public void beginRolling(BeginRollingRequest request, StreamObserver<Rolling> observer) {
    CoordinatorReplies.answer(observer, () -> rolling.begin(request));
  }

  @Override
  public void noteRolling(NoteRollingRequest request, StreamObserver<Rolling> observer) {
    CoordinatorReplies.answer(observer, () -> rolling.note(request));
  }
}
