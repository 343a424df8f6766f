package dev.pageferry.simulation;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.proto.agent.v1.Clocks;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeRequest;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeResponse;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.HostSigns;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.LookAtHostRequest;
import dev.pageferry.proto.agent.v1.MeasureLinkRequest;
import dev.pageferry.proto.agent.v1.StorageTrial;
import dev.pageferry.proto.agent.v1.StorageTried;
import dev.pageferry.simulation.SimulatedNetwork.Place;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** The agents, asked of each other over the simulated network. */
final class SimulatedInspector implements HostInspector {
  private static final Duration LOOK = Duration.ofSeconds(3);

  private final SimulatedNetwork network;
  private final SimulatedScheduler coordinator;
  private final Map<String, Place<SimulatedAgent>> places;
  private final boolean failsOpen;

  /** @param failsOpen a planted fault: where nobody can tell, it says that the host is gone */
  SimulatedInspector(SimulatedNetwork network, SimulatedScheduler coordinator,
      Map<String, Place<SimulatedAgent>> places, boolean failsOpen) {
    this.network = network;
    this.coordinator = coordinator;
    this.places = places;
    this.failsOpen = failsOpen;
  }

  @Override
  public HostSigns lookAtHost(String address, LookAtHostRequest request) throws AgentException {
    Place<SimulatedAgent> place = places.get(address);
    try {
      if (place == null) {
        throw new AgentException(Kind.UNREACHABLE, "no agent has the address " + address);
      }
      return network.ask(coordinator, place, "lookAtHost", SimulatedInspector::look, request, LOOK);
    } catch (StatusRuntimeException e) {
      if (failsOpen) {
        return HostSigns.newBuilder().setVerdict(HostSigns.Verdict.GONE).setReason("nobody answers").build();
      }
      throw new AgentException(e.getStatus().getCode() == Status.Code.FAILED_PRECONDITION
          ? Kind.REFUSED
          : Kind.UNREACHABLE, String.valueOf(e.getStatus().getDescription()), e);
    }
  }

  private static void look(SimulatedAgent agent, LookAtHostRequest request, StreamObserver<HostSigns> observer) {
    try {
      observer.onNext(agent.inspection().lookAt(new HostId(request.getHost()), request.getIncarnation()));
      observer.onCompleted();
    } catch (IOException | InterruptedException e) {
      observer.onError(Status.FAILED_PRECONDITION.withDescription(e.getMessage()).asRuntimeException());
    }
  }

  private static UnsupportedOperationException notSimulated() {
    return new UnsupportedOperationException("not simulated");
  }

  @Override
  public HostFacts inspect(String address, List<String> names) {
    throw notSimulated();
  }

  @Override
  public Clocks clocks(String address) {
    throw notSimulated();
  }

  @Override
  public StorageTried tryStorage(String address, StorageTrial trial) {
    throw notSimulated();
  }

  @Override
  public ExpectLinkProbeResponse expectLinkProbe(String address, ExpectLinkProbeRequest request) {
    throw notSimulated();
  }

  @Override
  public LinkMeasure measureLink(String address, MeasureLinkRequest request) {
    throw notSimulated();
  }
}
