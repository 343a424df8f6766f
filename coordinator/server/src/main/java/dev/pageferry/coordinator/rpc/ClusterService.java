package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.disks.DiskChanges;
import dev.pageferry.coordinator.disks.Disks;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.machines.DeadHosts;
import dev.pageferry.coordinator.machines.Machines;
import dev.pageferry.coordinator.machines.VmChanges;
import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.network.NetworkMembers;
import dev.pageferry.coordinator.network.VtepChanges;
import dev.pageferry.coordinator.repair.RecordsRepairs;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestedChange;
import dev.pageferry.coordinator.request.RequestedHost;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.ClaimVmRequest;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadResponse;
import dev.pageferry.proto.cluster.v1.ConsoleOutput;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskResponse;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmResponse;
import dev.pageferry.proto.cluster.v1.DeleteVtepRequest;
import dev.pageferry.proto.cluster.v1.DeleteVtepResponse;
import dev.pageferry.proto.cluster.v1.DigestVmRequest;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.GetDiskRequest;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.GetMigrationRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.JoinNetworkRequest;
import dev.pageferry.proto.cluster.v1.ListDisksRequest;
import dev.pageferry.proto.cluster.v1.ListDisksResponse;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.ListVtepsResponse;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.NetworkJoined;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.RepairRecordsRequest;
import dev.pageferry.proto.cluster.v1.RepairRecordsResponse;
import dev.pageferry.proto.cluster.v1.RestoreVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.ResumeVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.UseConsoleRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import dev.pageferry.proto.cluster.v1.Vtep;
import dev.pageferry.proto.cluster.v1.WatchMigrationRequest;
import dev.pageferry.proto.records.v1.VmRecord;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** What operators ask. Each call has a virtual thread of its own and may block. */
final class ClusterService extends ClusterGrpc.ClusterImplBase {
  /** Some heartbeats; a host that is slower than that hears of a visitor later. */
  private static final Duration JOINING = Duration.ofSeconds(5);

  private final String version;
  private final HostInventory inventory;
  private final HostMessages hosts;
  private final DeadHosts deadHosts;
  private final Machines machines;
  private final VmChanges changes;
  private final Requests requests;
  private final MigrationSupervisor migrations;
  private final Disks disks;
  private final DiskChanges diskChanges;
  private final NetworkMembers network;
  private final VtepChanges vtepChanges;
  private final RecordsRepairs repairs;

  ClusterService(String version, HostInventory inventory, HostMessages hosts, DeadHosts deadHosts, Machines machines,
      Disks disks,
      NetworkMembers network,
      MigrationSupervisor migrations, RecordsRepairs repairs, VmChanges changes, Requests requests) {
    this.version = version;
    this.deadHosts = deadHosts;
    this.changes = changes;
    this.requests = requests;
    this.repairs = repairs;
    this.network = network;
    this.vtepChanges = new VtepChanges(network);
    this.disks = disks;
    this.diskChanges = new DiskChanges(disks);
    this.inventory = inventory;
    this.hosts = hosts;
    this.machines = machines;
    this.migrations = migrations;
  }

  @Override
  public void listHosts(ListHostsRequest request, StreamObserver<ListHostsResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      ListHostsResponse.Builder response = Lists
          .hosts(inventory.list().stream().map(hosts::of).toList(), request).setCoordinatorVersion(version);
      repairs.trouble().ifPresent(response::setRecords);
      return response.build();
    });
  }

  @Override
  public void repairRecords(RepairRecordsRequest request, StreamObserver<RepairRecordsResponse> observer) {
    CoordinatorReplies.answer(observer, () -> repairs.repair(request.getDryRun()));
  }

  @Override
  public void claimVm(ClaimVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> {
      VmRecord claimed = repairs.claim(request.getName(), request.getHost());
      return machines.show(claimed.getSpec().getName());
    });
  }

  @Override
  public void getHost(GetHostRequest request, StreamObserver<Host> observer) {
    CoordinatorReplies.answer(observer, () -> hosts.of(RequestedHost.find(inventory, request.getId())));
  }

  @Override
  public void confirmHostDead(ConfirmHostDeadRequest request, StreamObserver<ConfirmHostDeadResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      DeadHosts.Findings findings = request.getConfirmed()
          ? deadHosts.confirm(request.getId(), request.getIncarnation())
          : deadHosts.look(request.getId());
      ConfirmHostDeadResponse.Builder response = ConfirmHostDeadResponse.newBuilder().setHost(hosts.of(findings.host()))
          .setIncarnation(findings.host().incarnation().value()).addAllConsequences(findings.consequences())
          .setConfirmed(findings.confirmed());
      findings.silence().ifPresent(each -> response.setSilentSeconds(each.toNanos() / 1e9));
      return response.build();
    });
  }

  private RequestedChange change() {
    return RequestInterceptor.current().orElseGet(requests::withoutId);
  }

  @Override
  public void createVm(CreateVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> changes.create(request, change()));
  }

  @Override
  public void listVms(ListVmsRequest request, StreamObserver<ListVmsResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      ListVmsResponse.Builder response = Lists.vms(machines.list(), request);
      repairs.trouble().ifPresent(response::setRecords);
      return response.build();
    });
  }

  @Override
  public void getVm(GetVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> {
      Vm vm = machines.show(request.getName());
      return request.getDestinations()
          ? vm.toBuilder().addAllDestinations(migrations.destinations(request.getName())).build()
          : vm;
    });
  }

  @Override
  public void startVm(StartVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> changes.start(request, change()));
  }

  @Override
  public void pauseVm(PauseVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> changes.pause(request.getName(), change()));
  }

  @Override
  public void resumeVm(ResumeVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> changes.resume(request.getName(), change()));
  }

  @Override
  public void setVm(SetVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> changes.set(request, change()));
  }

  @Override
  public void stopVm(StopVmRequest request, StreamObserver<Vm> observer) {
    CoordinatorReplies.answer(observer, () -> changes.stop(request, change()));
  }

  @Override
  public void deleteVm(DeleteVmRequest request, StreamObserver<DeleteVmResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      changes.delete(request, change());
      return DeleteVmResponse.getDefaultInstance();
    });
  }

  @Override
  public void digestVm(DigestVmRequest request, StreamObserver<VmDigest> observer) {
    CoordinatorReplies.answer(observer, () -> machines.digest(request.getName()));
  }

  @Override
  public void useConsole(UseConsoleRequest request, StreamObserver<ConsoleOutput> observer) {
    CoordinatorReplies.answer(observer, () -> machines.useConsole(request));
  }

  @Override
  public void verifyVm(VerifyVmRequest request, StreamObserver<VerifyVmUpdate> observer) {
    try {
      machines.verify(request.getName(), observer::onNext);
      observer.onCompleted();
    } catch (RequestException | RuntimeException e) {
      observer.onError(CoordinatorReplies.status(e).asRuntimeException());
    }
  }

  @Override
  public void saveVm(SaveVmRequest request, StreamObserver<SaveVmUpdate> observer) {
    goOnWithoutListener(observer);
    CoordinatorReplies.answer(observer, () -> changes.save(request.getName(), request.getCodec(), change(), (done,
        total) -> observer.onNext(SaveVmUpdate.newBuilder().setDoneBytes(done).setTotalBytes(total).build())));
  }

  @Override
  public void restoreVm(RestoreVmRequest request, StreamObserver<RestoreVmUpdate> observer) {
    goOnWithoutListener(observer);
    CoordinatorReplies.answer(observer, () -> changes.restore(request, change(), (done,
        total) -> observer.onNext(RestoreVmUpdate.newBuilder().setDoneBytes(done).setTotalBytes(total).build())));
  }

  private static void goOnWithoutListener(StreamObserver<?> observer) {
    ((ServerCallStreamObserver<?>) observer).setOnCancelHandler(() -> {
      // What was begun is brought to its end; 'vm show' tells.
    });
  }

  @Override
  public void migrateQuick(MigrateQuickRequest request, StreamObserver<Migration> observer) {
    // The migration's own record has the id, too: it is found by it where this was begun before.
    MigrateQuickRequest known = request.hasRequestId() || change().requestId().isEmpty()
        ? request
        : request.toBuilder().setRequestId(change().requestId()).build();
    CoordinatorReplies.answer(observer, () -> migrations.start(known));
  }

  @Override
  public void createDisk(CreateDiskRequest request, StreamObserver<Disk> observer) {
    CoordinatorReplies.answer(observer, () -> diskChanges.create(request, change()));
  }

  @Override
  public void listDisks(ListDisksRequest request, StreamObserver<ListDisksResponse> observer) {
    CoordinatorReplies.answer(observer, () -> Lists.disks(disks.list(request.getHost()), request));
  }

  @Override
  public void getDisk(GetDiskRequest request, StreamObserver<Disk> observer) {
    CoordinatorReplies.answer(observer, () -> disks.show(request.getName(), request.getHost()));
  }

  @Override
  public void deleteDisk(DeleteDiskRequest request, StreamObserver<DeleteDiskResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      diskChanges.delete(request, change());
      return DeleteDiskResponse.getDefaultInstance();
    });
  }

  @Override
  public void listVteps(ListVtepsRequest request, StreamObserver<ListVtepsResponse> observer) {
    CoordinatorReplies.answer(observer, () -> Lists.vteps(network.list(), request));
  }

  @Override
  public void addVtep(AddVtepRequest request, StreamObserver<Vtep> observer) {
    CoordinatorReplies.answer(observer, () -> vtepChanges.add(request, change()));
  }

  @Override
  public void deleteVtep(DeleteVtepRequest request, StreamObserver<DeleteVtepResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      vtepChanges.delete(request, change());
      return DeleteVtepResponse.getDefaultInstance();
    });
  }

  @Override
  public void joinNetwork(JoinNetworkRequest request, StreamObserver<NetworkJoined> observer) {
    ServerCallStreamObserver<NetworkJoined> call = (ServerCallStreamObserver<NetworkJoined>) observer;
    AtomicReference<NetworkMembers.@Nullable Visit> visit = new AtomicReference<>();
    // Set before the call's method returns, as gRPC demands; it runs after that.
    call.setOnCancelHandler(() -> leave(visit));
    try {
      visit.set(network.visit(request.getAddress(), request.getVni()));
      boolean _ = network.awaitKnown(JOINING);
      if (call.isCancelled()) {
        leave(visit);
      } else {
        call.onNext(NetworkJoined.newBuilder().addAllVteps(network.hosts()).build());
      }
    } catch (InterruptedException | RequestException | RuntimeException e) {
      leave(visit);
      observer.onError(CoordinatorReplies.status(e).asRuntimeException());
    }
  }

  private static void leave(AtomicReference<NetworkMembers.@Nullable Visit> visit) {
    NetworkMembers.Visit visiting = visit.getAndSet(null);
    if (visiting != null) {
      visiting.close();
    }
  }

  @Override
  public void migrateLive(MigrateLiveRequest request, StreamObserver<Migration> observer) {
    MigrateLiveRequest known = request.hasRequestId() || change().requestId().isEmpty()
        ? request
        : request.toBuilder().setRequestId(change().requestId()).build();
    CoordinatorReplies.answer(observer, () -> migrations.start(known));
  }

  @Override
  public void listMigrations(ListMigrationsRequest request, StreamObserver<ListMigrationsResponse> observer) {
    CoordinatorReplies.answer(observer, () -> Lists.migrations(migrations.list(), request));
  }

  @Override
  public void getMigration(GetMigrationRequest request, StreamObserver<Migration> observer) {
    CoordinatorReplies.answer(observer, () -> migrations.show(request.getId()));
  }

  @Override
  public void watchMigration(WatchMigrationRequest request, StreamObserver<Migration> observer) {
    MigrationWatchers.watch(migrations, request.getId(), (ServerCallStreamObserver<Migration>) observer);
  }

  @Override
  public void cancelMigration(CancelMigrationRequest request, StreamObserver<Migration> observer) {
    CoordinatorReplies.answer(observer, () -> {
      Migration now = migrations.show(request.getId());
      return change().isRepeated() && MigrationSupervisor.isFinal(now) ? now : migrations.cancel(request.getId());
    });
  }
}
