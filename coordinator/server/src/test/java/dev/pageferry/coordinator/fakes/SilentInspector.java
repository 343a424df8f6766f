package dev.pageferry.coordinator.fakes;

import dev.pageferry.coordinator.agents.AgentException;
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
import java.util.List;

/** Hosts that say nothing of themselves. */
public final class SilentInspector implements HostInspector {
  private static AgentException silence() {
    return new AgentException(AgentException.Kind.UNREACHABLE, "its agent does not answer");
  }

  @Override
  public HostFacts inspect(String address, List<String> names) throws AgentException {
    throw silence();
  }

  @Override
  public Clocks clocks(String address) throws AgentException {
    throw silence();
  }

  @Override
  public StorageTried tryStorage(String address, StorageTrial trial) throws AgentException {
    throw silence();
  }

  @Override
  public ExpectLinkProbeResponse expectLinkProbe(String address, ExpectLinkProbeRequest request) throws AgentException {
    throw silence();
  }

  @Override
  public LinkMeasure measureLink(String address, MeasureLinkRequest request) throws AgentException {
    throw silence();
  }

  @Override
  public HostSigns lookAtHost(String address, LookAtHostRequest request) throws AgentException {
    throw silence();
  }
}
