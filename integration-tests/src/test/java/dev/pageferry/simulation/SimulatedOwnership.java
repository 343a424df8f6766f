package dev.pageferry.simulation;

import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.rpc.CallersVersion;
import dev.pageferry.coordinator.rpc.OwnershipService;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.GiveBackRequest;
import dev.pageferry.proto.registry.v1.NoteSavedRequest;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.ProbeResponse;
import dev.pageferry.proto.registry.v1.ResolveRequest;
import dev.pageferry.proto.registry.v1.StartedRequest;
import dev.pageferry.simulation.SimulatedNetwork.Method;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.Objects;

/** The rows, asked by one host over the simulated network. */
final class SimulatedOwnership implements OwnershipClient {
  private static final Duration ATTEMPT = Duration.ofSeconds(2);

  private final SimulatedNetwork network;
  private final SimulatedScheduler host;
  private final String incarnation;
  private final Place<SimulatedCoordinator.Services> coordinator;

  SimulatedOwnership(SimulatedNetwork network, SimulatedScheduler host, String incarnation,
      Place<SimulatedCoordinator.Services> coordinator) {
    this.network = network;
    this.host = host;
    this.incarnation = incarnation;
    this.coordinator = coordinator;
  }

  @Override
  public Decision commit(VmId vm, MigrationId migration) throws UnreachableException {
    return ask("commit", OwnershipService::commit,
        CommitRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build());
  }

  @Override
  public Decision resolve(VmId vm, MigrationId migration) throws UnreachableException {
    return resolve(vm, migration, false);
  }

  @Override
  public Decision resolveAtDestination(VmId vm, MigrationId migration) throws UnreachableException {
    return resolve(vm, migration, true);
  }

  private Decision resolve(VmId vm, MigrationId migration, boolean atDestination) throws UnreachableException {
    return ask("resolve", OwnershipService::resolve, ResolveRequest.newBuilder().setVmId(vm.value())
        .setMigrationId(migration.value()).setFromDestination(atDestination).build());
  }

  @Override
  public Decision noteSaved(VmId vm, MigrationId migration) throws UnreachableException {
    return ask("noteSaved", OwnershipService::noteSaved,
        NoteSavedRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build());
  }

  @Override
  public Decision giveBack(VmId vm, MigrationId migration) throws UnreachableException {
    return ask("giveBack", OwnershipService::giveBack,
        GiveBackRequest.newBuilder().setVmId(vm.value()).setMigrationId(migration.value()).build());
  }

  @Override
  public Decision started(VmId vm, OwnershipEpoch epoch) throws UnreachableException {
    return ask("started", OwnershipService::started, StartedRequest.newBuilder().setVmId(vm.value())
        .setHostId(host.name()).setIncarnation(incarnation).setEpoch(epoch.value()).build());
  }

  @Override
  public Promise<Duration> probe(Duration atMost) {
    Promise<Duration> answered = host.newPromise();
    long start = host.nanos();
    Task unused = host.start("probe", () -> {
      try {
        ProbeResponse response = network.ask(host, coordinator, "probe",
            (services, question, observer) -> services.ownership().probe(question, observer),
            ProbeRequest.getDefaultInstance(), atMost);
        Objects.requireNonNull(response);
        answered.complete(Duration.ofNanos(host.nanos() - start));
      } catch (StatusRuntimeException e) {
        answered.fail(e);
      }
    });
    return answered;
  }

  private <Q> Decision ask(String what,
      Method<OwnershipService, Q, dev.pageferry.proto.registry.v1.Decision> method, Q request)
      throws UnreachableException {
    try {
      dev.pageferry.proto.registry.v1.Decision answer = network.ask(host, coordinator, what,
          (services, question, observer) -> CallersVersion.ofThis()
              .run(() -> method.call(services.ownership(), question, observer)),
          request, ATTEMPT);
      return new Decision(Outcome.valueOf(answer.getOutcome().name()), answer.getOwnerHost(), answer.getEpoch());
    } catch (StatusRuntimeException e) {
      throw new UnreachableException("the coordinator did not answer: " + e.getMessage(), e);
    }
  }
}
