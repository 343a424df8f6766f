package dev.pageferry.agent.rpc;

import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestClaims;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.hosting.VmCreation;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.migration.source.Departure;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.migration.source.SaveOperation;
import dev.pageferry.agent.migration.source.SourceMigration;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.agent.v1.CancelOutgoingRequest;
import dev.pageferry.proto.agent.v1.CancelOutgoingResponse;
import dev.pageferry.proto.agent.v1.CheckArrivalRequest;
import dev.pageferry.proto.agent.v1.CheckArrivalResponse;
import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.CreateDiskRequest;
import dev.pageferry.proto.agent.v1.CreateVmRequest;
import dev.pageferry.proto.agent.v1.DeleteDiskRequest;
import dev.pageferry.proto.agent.v1.DeleteDiskResponse;
import dev.pageferry.proto.agent.v1.DestroyVmRequest;
import dev.pageferry.proto.agent.v1.DestroyVmResponse;
import dev.pageferry.proto.agent.v1.DigestVmRequest;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.DiscardSavedStatesRequest;
import dev.pageferry.proto.agent.v1.DiscardSavedStatesResponse;
import dev.pageferry.proto.agent.v1.Disk;
import dev.pageferry.proto.agent.v1.GetDiskRequest;
import dev.pageferry.proto.agent.v1.GetIncomingRequest;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.GetVmRequest;
import dev.pageferry.proto.agent.v1.HostAgentGrpc;
import dev.pageferry.proto.agent.v1.ListDiskLeasesRequest;
import dev.pageferry.proto.agent.v1.ListDiskLeasesResponse;
import dev.pageferry.proto.agent.v1.ListDisksRequest;
import dev.pageferry.proto.agent.v1.ListDisksResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.PauseVmRequest;
import dev.pageferry.proto.agent.v1.PowerDownVmRequest;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.PrepareIncomingResponse;
import dev.pageferry.proto.agent.v1.ResolveSpecRequest;
import dev.pageferry.proto.agent.v1.ResolveSpecResponse;
import dev.pageferry.proto.agent.v1.RestoreVmRequest;
import dev.pageferry.proto.agent.v1.RestoreVmUpdate;
import dev.pageferry.proto.agent.v1.ResumeVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmRequest;
import dev.pageferry.proto.agent.v1.SaveVmResult;
import dev.pageferry.proto.agent.v1.SaveVmUpdate;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.agent.v1.StartOutgoingResponse;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VerifyVmRequest;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.agent.v1.WatchOutgoingRequest;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the coordinator asks of this host. Each call has a virtual thread of its own and may block. */
public final class HostAgentService extends HostAgentGrpc.HostAgentImplBase {
  private static final Logger log = LoggerFactory.getLogger(HostAgentService.class);

  private final Incarnation self;
  private final HostedGuests guests;
  private final VmCreation creation;
  private final GuestKind machines;
  private final SourceMigration.Environment departures;
  private final OutgoingMigrations outgoing;
  private final IncomingMigrations incoming;
  private final GuestClaims claims;
  private final StorageOrders storage;
  private volatile boolean ending;

  public HostAgentService(Incarnation self, HostedGuests guests, VmCreation creation, GuestKind machines,
      SourceMigration.Environment departures, OutgoingMigrations outgoing, IncomingMigrations incoming,
      GuestClaims claims, Optional<SharedStorage> storage, Optional<SavedStates> savedStates) {
    this.self = self;
    this.guests = guests;
    this.creation = creation;
    this.machines = machines;
    this.outgoing = outgoing;
    this.incoming = incoming;
    this.storage = new StorageOrders(storage, savedStates);
    this.claims = claims;
    this.departures = departures;
  }

  @Override
  public void resolveSpec(ResolveSpecRequest request, StreamObserver<ResolveSpecResponse> observer) {
    AgentReplies.answer(observer, () -> StatusMessages.resolved(machines.resolve(request.getSpec())));
  }

  @Override
  public void createVm(CreateVmRequest request, StreamObserver<VmStatus> observer) {
    answerToTheEnd(observer, () -> {
      requireGoingOn();
      if (guests.find(new VmId(request.getSpec().getId())).isPresent()) {
        throw Status.ALREADY_EXISTS
            .withDescription("VM %s is on this host already".formatted(request.getSpec().getName()))
            .asRuntimeException();
      }
      creation.run(machines.spec(request.getSpec()), new OwnershipEpoch(request.getEpoch()),
          request.getPaused(), request.getForceDisks());
      return StatusMessages.statusWithSpec(hosted(request.getSpec().getId()));
    });
  }

  @Override
  public void destroyVm(DestroyVmRequest request, StreamObserver<DestroyVmResponse> observer) {
    AgentReplies.answer(observer, () -> {
      VmId id = new VmId(request.getId());
      CoordinatorsWord word = CoordinatorsWord.epochIsOver(new OwnershipEpoch(request.getEpoch()), false);
      // Even where the order is refused for now: it ends what waits for a word that the records do not have.
      departures.line().open().hear(id, word);
      if (outgoing.ofVm(id).isPresent()) {
        throw new IllegalStateException("VM %s is being migrated; cancel the migration first".formatted(id));
      }
      claims.checkDestroyable(id);
      // Looked at ahead of the guests: what is built from now on is built by a later order than this one.
      boolean isBeingBuilt = claims.isTaken(id);
      if (incoming.hear(id, word)) {
        throw new IllegalStateException("VM %s is just coming here by a migration; try again".formatted(id));
      }
      if (!guests.destroy(id, word)) {
        throw isBeingBuilt
            ? new IllegalStateException("VM %s is just coming to be here; try again".formatted(id))
            : AgentReplies.notFound("VM", request.getId());
      }
      return DestroyVmResponse.getDefaultInstance();
    });
  }

  @Override
  public void pauseVm(PauseVmRequest request, StreamObserver<VmStatus> observer) {
    AgentReplies.answer(observer, () -> {
      hosted(request.getId()).vm().pauseForOperator(true);
      return StatusMessages.statusWithSpec(hosted(request.getId()));
    });
  }

  @Override
  public void resumeVm(ResumeVmRequest request, StreamObserver<VmStatus> observer) {
    AgentReplies.answer(observer, () -> {
      Guest vm = hosted(request.getId()).vm();
      vm.pauseForOperator(false);
      if (vm.isPausedFor(PauseReason.FENCE)) {
        throw new IllegalStateException(
            "VM %s stays paused: its disks were closed here, because another host claimed them or their lease is damaged; stop it, then start it"
                .formatted(vm.spec().name()));
      }
      return StatusMessages.statusWithSpec(hosted(request.getId()));
    });
  }

  @Override
  public void getVm(GetVmRequest request, StreamObserver<VmStatus> observer) {
    AgentReplies.answer(observer, () -> StatusMessages.statusWithSpec(hosted(request.getId())));
  }

  @Override
  public void powerDownVm(PowerDownVmRequest request, StreamObserver<VmStatus> observer) {
    AgentReplies.answer(observer, () -> GuestControls.powerDown(hosted(request.getId()), request));
  }

  @Override
  public void useConsole(UseConsoleRequest request, StreamObserver<ConsoleOutput> observer) {
    AgentReplies.answer(observer, () -> GuestControls.useConsole(hosted(request.getId()).vm(), request));
  }

  @Override
  public void digestVm(DigestVmRequest request, StreamObserver<DigestVmResponse> observer) {
    AgentReplies.answer(observer, () -> GuestControls.digest(hosted(request.getId()).vm()));
  }

  @Override
  public void verifyVm(VerifyVmRequest request, StreamObserver<VerifyVmUpdate> observer) {
    Thread replaying = Thread.currentThread();
    // Runs on another thread while this one replays, which is why the executor must not be a direct one.
    ((ServerCallStreamObserver<VerifyVmUpdate>) observer).setOnCancelHandler(replaying::interrupt);
    AgentReplies.answer(observer, () -> {
      return GuestControls.verify(hosted(request.getId()).vm(), observer::onNext);
    });
  }

  @Override
  public void checkArrival(CheckArrivalRequest request, StreamObserver<CheckArrivalResponse> observer) {
    AgentReplies.answer(observer, () -> {
      GuestSpec _ = arriving(request.getSpec());
      return CheckArrivalResponse.getDefaultInstance();
    });
  }

  @Override
  public void prepareIncoming(PrepareIncomingRequest request, StreamObserver<PrepareIncomingResponse> observer) {
    AgentReplies.answer(observer, () -> {
      requireGoingOn();
      String expected = request.getDestinationIncarnation();
      if (!expected.isEmpty() && !expected.equals(self.value())) {
        throw new IllegalStateException("this host has restarted since the migration was accepted; try again");
      }
      log.info("migration={} vm={} expected from host={}", request.getMigrationId(), request.getSpec().getName(),
          request.getSourceHost());
      incoming.expect(new MigrationId(request.getMigrationId()), arriving(request.getSpec()),
          new OwnershipEpoch(request.getEpoch()),
          OrderMessages.manner(request),
          new IncomingMigrations.Pass(new HostId(request.getSourceHost()), request.getToken().toByteArray()),
          Duration.ofMillis(request.getExpiresInMillis()));
      return PrepareIncomingResponse.getDefaultInstance();
    });
  }

  @Override
  public void startOutgoing(StartOutgoingRequest request, StreamObserver<StartOutgoingResponse> observer) {
    AgentReplies.answer(observer, () -> {
      requireGoingOn();
      Hosted hosted = hostedUnder(request.getVmId(), request.getEpoch());
      Guest guest = hosted.vm();
      log.info("migration={} vm={} is to go to host={} at {}", request.getMigrationId(), guest.spec().name(),
          request.getDestinationHost(), request.getDestinationAddress());
      outgoing.start(new SourceMigration.Order(new MigrationId(request.getMigrationId()), hosted.epoch(), guest,
          request.getDestinationHost(), HostPort.parse(request.getDestinationAddress()),
          request.getToken().toByteArray(),
          OrderMessages.options(request.getOptions()),
          OrderMessages.manner(request)));
      return StartOutgoingResponse.getDefaultInstance();
    });
  }

  @Override
  public void saveVm(SaveVmRequest request, StreamObserver<SaveVmUpdate> observer) {
    answerToTheEnd(observer, () -> {
      requireGoingOn();
      Hosted hosted = hostedUnder(request.getVmId(), request.getEpoch());
      Guest guest = hosted.vm();
      MigrationId operation = new MigrationId(request.getOperationId());
      Packing packing = OrderMessages.packing(request.getCodec());
      ProgressMessages progress = new ProgressMessages(guest.spec().memoryBytes(),
          done -> observer.onNext(SaveVmUpdate.newBuilder().setProgress(done).build()));
      SaveOperation.Saved saved = outgoing.save(operation, hosted.epoch(), guest, packing,
          pages -> progress.add(PageSize.bytesOf(pages)));
      return SaveVmUpdate.newBuilder().setProgress(progress.now())
          .setResult(SaveVmResult.newBuilder().setFileBytes(saved.fileBytes()).setSteps(saved.steps())
              .setSeconds(saved.seconds()))
          .build();
    });
  }

  @Override
  public void restoreVm(RestoreVmRequest request, StreamObserver<RestoreVmUpdate> observer) {
    answerToTheEnd(observer, () -> {
      requireGoingOn();
      if (guests.find(new VmId(request.getSpec().getId())).isPresent()) {
        throw new IllegalStateException("VM %s is on this host already".formatted(request.getSpec().getName()));
      }
      GuestClaims.Claim claim = claims.takeToBuild(new VmId(request.getSpec().getId()), "being restored");
      try (claim) {
        return restored(request, observer);
      }
    });
  }

  private RestoreVmUpdate restored(RestoreVmRequest request, StreamObserver<RestoreVmUpdate> observer)
      throws Exception {
    GuestSpec spec = arriving(request.getSpec());
    SavedStates states = storage.savedStates();
    ProgressMessages progress = new ProgressMessages(Files.size(states.path(request.getFile())),
        done -> observer.onNext(RestoreVmUpdate.newBuilder().setProgress(done).build()));
    double seconds = incoming
        .restoration(new MigrationId(request.getOperationId()), spec, new OwnershipEpoch(request.getEpoch()))
        .run(request.getFile(), progress::add);
    return RestoreVmUpdate.newBuilder().setProgress(progress.now())
        .setResult(StatusMessages.statusWithSpec(hosted(request.getSpec().getId()))).setSeconds(seconds).build();
  }

  @Override
  public void discardSavedStates(DiscardSavedStatesRequest request,
      StreamObserver<DiscardSavedStatesResponse> observer) {
    AgentReplies.answer(observer, () -> storage.discard(request));
  }

  /**
   * Answers a request that goes on even if the coordinator that asked is gone: what the row decides must be carried out.
   * In a context of its own, since all questions to the coordinator from the call's context are cancelled with the call.
   */
  private static <T> void answerToTheEnd(StreamObserver<T> observer, AgentReplies.Request<T> request) {
    ((ServerCallStreamObserver<T>) observer).setOnCancelHandler(() -> log.warn("the caller disconnected"));
    Context.ROOT.run(() -> AgentReplies.answer(observer, request));
  }

  /** This agent ends: orders to begin something with a VM are refused from now on, and what ends one is still done. */
  public void refuseMore() {
    ending = true;
    incoming.refuseMore();
  }

  private void requireGoingOn() {
    if (ending) {
      throw Status.UNAVAILABLE.withDescription("this agent is shutting down").asRuntimeException();
    }
  }

  private Hosted hostedUnder(String id, long epoch) {
    Hosted hosted = hosted(id);
    if (hosted.epoch().value() != epoch) {
      throw new IllegalStateException("VM %s is here under epoch %s, not %d".formatted(id, hosted.epoch(), epoch));
    }
    return hosted;
  }

  @Override
  public void watchOutgoing(WatchOutgoingRequest request, StreamObserver<OutgoingStatus> observer) {
    Departure migration = outgoing.find(new MigrationId(request.getMigrationId())).orElse(null);
    if (migration == null) {
      observer.onError(AgentReplies.notFound("migration", request.getMigrationId()));
      return;
    }
    OutgoingWatch.begin(migration, observer);
  }

  @Override
  public void cancelOutgoing(CancelOutgoingRequest request, StreamObserver<CancelOutgoingResponse> observer) {
    AgentReplies.answer(observer, () -> {
      Departure migration = outgoing.find(new MigrationId(request.getMigrationId()))
          .orElseThrow(() -> AgentReplies.notFound("migration", request.getMigrationId()));
      return CancelOutgoingResponse.newBuilder().setAccepted(migration.cancel()).build();
    });
  }

  @Override
  public void getIncoming(GetIncomingRequest request, StreamObserver<GetIncomingResponse> observer) {
    AgentReplies.answer(observer,
        () -> GetIncomingResponse.newBuilder().setState(GetIncomingResponse.State.valueOf(incoming.state(
            new MigrationId(request.getMigrationId())).name())).build());
  }

  @Override
  public void createDisk(CreateDiskRequest request, StreamObserver<Disk> observer) {
    AgentReplies.answer(observer, () -> storage.create(request));
  }

  @Override
  public void listDisks(ListDisksRequest request, StreamObserver<ListDisksResponse> observer) {
    AgentReplies.answer(observer, storage::list);
  }

  @Override
  public void getDisk(GetDiskRequest request, StreamObserver<Disk> observer) {
    AgentReplies.answer(observer, () -> storage.show(request.getName()));
  }

  @Override
  public void listDiskLeases(ListDiskLeasesRequest request, StreamObserver<ListDiskLeasesResponse> observer) {
    AgentReplies.answer(observer, storage::leases);
  }

  @Override
  public void deleteDisk(DeleteDiskRequest request, StreamObserver<DeleteDiskResponse> observer) {
    AgentReplies.answer(observer, () -> storage.delete(request.getName()));
  }

  /** Of a guest that this host can take. */
  private GuestSpec arriving(VmSpec message) throws IOException, InterruptedException {
    GuestSpec spec = machines.spec(message);
    machines.checkArrival(spec);
    return spec;
  }

  private Hosted hosted(String id) {
    return guests.find(new VmId(id)).orElseThrow(() -> AgentReplies.notFound("VM", id));
  }

}
