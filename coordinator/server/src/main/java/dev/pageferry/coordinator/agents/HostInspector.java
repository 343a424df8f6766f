package dev.pageferry.coordinator.agents;

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

/**
 * What the coordinator asks of agents to find out whether they are fit to take part in moves, and of each other, each at its HOST:PORT.
 * Bounded in time.
 */
public interface HostInspector {
  /** What the host is; may take as long as to start a few programs. */
  HostFacts inspect(String address, List<String> names) throws AgentException;

  /** The clocks of the host, now. */
  Clocks clocks(String address) throws AgentException;

  /** One step of a trial of its storage; refused with the reason where that fails. */
  StorageTried tryStorage(String address, StorageTrial trial) throws AgentException;

  /** Has the host let another one measure the link to it. */
  ExpectLinkProbeResponse expectLinkProbe(String address, ExpectLinkProbeRequest request) throws AgentException;

  /** Has the host measure the link to another one; refused with the reason where that fails. */
  LinkMeasure measureLink(String address, MeasureLinkRequest request) throws AgentException;

  /** Whether another host lives, as the storage tells that both share. */
  HostSigns lookAtHost(String address, LookAtHostRequest request) throws AgentException;
}
