package dev.pageferry.simulation;

import dev.pageferry.agent.rpc.RegistryClient;
import dev.pageferry.coordinator.rpc.CallersVersion;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.simulation.SimulatedNetwork.Method;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import io.grpc.StatusRuntimeException;
import java.time.Duration;

/** The registry, asked by one host over the simulated network. */
final class SimulatedRegistry implements RegistryClient {
  private static final Duration CALL = Duration.ofSeconds(2);

  private final SimulatedNetwork network;
  private final SimulatedScheduler host;
  private final Place<SimulatedCoordinator.Services> coordinator;

  SimulatedRegistry(SimulatedNetwork network, SimulatedScheduler host,
      Place<SimulatedCoordinator.Services> coordinator) {
    this.network = network;
    this.host = host;
    this.coordinator = coordinator;
  }

  @Override
  public RegisterResponse register(RegisterRequest request) throws NoAnswerException {
    return ask("register", (services, question, observer) -> services.registry().register(question, observer), request);
  }

  @Override
  public HeartbeatResponse heartbeat(HeartbeatRequest request) throws NoAnswerException {
    return ask("heartbeat", (services, question, observer) -> services.registry().heartbeat(question, observer),
        request);
  }

  private <Q, A> A ask(String what, Method<SimulatedCoordinator.Services, Q, A> method, Q request)
      throws NoAnswerException {
    try {
      return network.ask(host, coordinator, what, (services, question, observer) -> CallersVersion.ofThis()
          .run(() -> method.call(services, question, observer)), request, CALL);
    } catch (StatusRuntimeException e) {
      throw new NoAnswerException(String.valueOf(e.getMessage()), e);
    }
  }
}
