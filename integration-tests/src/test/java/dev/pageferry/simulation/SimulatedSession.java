package dev.pageferry.simulation;

import dev.pageferry.agent.guest.HostedGuests;
import dev.pageferry.agent.migration.HostLease;
import dev.pageferry.agent.migration.source.OutgoingMigrations;
import dev.pageferry.agent.ownership.CoordinatorsWord;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Placeholder of the heartbeat. */
final class SimulatedSession implements HostLease {
  private static final Duration CALL = Duration.ofSeconds(2);
  private final SimulatedNetwork network;
  private final SimulatedScheduler host;
  private final Place<SimulatedCoordinator.Services> coordinator;
  private final SimulatedAgent agent;
  private final HostedGuests guests;
  private final OutgoingMigrations outgoing;
  private final Signal renewed;
  private long leaseEnd;
  private boolean registered;

  SimulatedSession(SimulatedNetwork network, SimulatedScheduler host,
      Place<SimulatedCoordinator.Services> coordinator, SimulatedAgent agent, HostedGuests guests,
      OutgoingMigrations outgoing) {
    this.network = network;
    this.host = host;
    this.coordinator = coordinator;
    this.agent = agent;
    this.guests = guests;
    this.outgoing = outgoing;
    this.renewed = host.newSignal();
    this.leaseEnd = host.nanos();
  }

  void start() {
    Task unused = host.start("heartbeat", () -> {
      try {
        while (true) {
          try {
            beat();
          } catch (StatusRuntimeException e) {
            // Next time.
          }
          host.sleep(Duration.ofSeconds(1));
        }
      } catch (InterruptedException e) {
        // The end.
      }
    });
  }

  private void beat() {
    long sent = host.nanos();
    if (!registered) {
      RegisterResponse response = network.ask(host, coordinator, "register", (services, question, observer) -> services.registry().register(question, observer),
          RegisterRequest.newBuilder().setHostId(host.name()).setIncarnation(agent.incarnation())
              .setAddress(agent.address().toString()).setMigrationAddress(agent.migrationAddress().toString())
              .setMemoryBytes(1 << 30).setMemoryFreeBytes(1 << 30).setStorageId(SimulatedAgent.STORAGE_ID).build(),
          CALL);
      registered = response.getRefusal() == RegisterResponse.Refusal.NONE;
      leaseEnd = sent + TimeUnit.MILLISECONDS.toNanos(response.getLeaseMillis());
    } else {
      HeartbeatRequest.Builder request = HeartbeatRequest.newBuilder().setHostId(host.name())
          .setIncarnation(agent.incarnation()).setMemoryFreeBytes(1 << 30);
      guests.list().forEach(each -> request.addVms(VmStatus.newBuilder().setId(each.vm().spec().id().value())
          .setEpoch(each.epoch().value())
          .setState(each.vm().isPaused() ? VmStatus.State.PAUSED : VmStatus.State.RUNNING)
          .setSteps(each.vm().steps())));
      HeartbeatResponse response = network.ask(host, coordinator, "heartbeat",
          (services, question, observer) -> services.registry().heartbeat(question, observer), request.build(), CALL);
      if (response.getUnknown()) {
        registered = false;
        return;
      }
      leaseEnd = sent + TimeUnit.MILLISECONDS.toNanos(response.getLeaseMillis());
      response.getStaleVmsList().forEach(stale -> {
        VmId id = new VmId(stale.getId());
        CoordinatorsWord word = CoordinatorsWord.epochIsOver(new OwnershipEpoch(stale.getEpoch()),
            stale.getRunsElsewhere());
        outgoing.ofVm(id).ifPresentOrElse(migration -> migration.release(word), () -> {
          boolean unused = guests.destroy(id, word);
        });
      });
    }
    renewed.raise();
  }

  @Override
  public void awaitLive() throws InterruptedException {
    while (!renewed.await(() -> host.nanos() < leaseEnd, Duration.ofSeconds(1))) {
      continue;
    }
  }
}
