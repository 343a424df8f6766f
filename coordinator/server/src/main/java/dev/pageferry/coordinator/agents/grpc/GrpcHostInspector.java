package dev.pageferry.coordinator.agents.grpc;

import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.proto.agent.v1.Clocks;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeRequest;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeResponse;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.HostInspectionGrpc;
import dev.pageferry.proto.agent.v1.HostInspectionGrpc.HostInspectionBlockingStub;
import dev.pageferry.proto.agent.v1.HostSigns;
import dev.pageferry.proto.agent.v1.InspectRequest;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.LookAtHostRequest;
import dev.pageferry.proto.agent.v1.MeasureLinkRequest;
import dev.pageferry.proto.agent.v1.StorageTrial;
import dev.pageferry.proto.agent.v1.StorageTried;
import io.grpc.Context;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** Asks agents about themselves, over gRPC. Questions end when whoever wanted to know disconnects. */
public final class GrpcHostInspector implements HostInspector {
  /** Longer than an inspection may take: QEMU 13 s, two cards 5 s each, names 10 s, storage 10 s. */
  private static final long INSPECT_SECONDS = 50;
  private static final long CLOCK_SECONDS = 3;
  private static final long STORAGE_SECONDS = 15;
  private static final long LINK_SECONDS = 20;
  private static final long LOOK_SECONDS = 3;

  private final AgentChannels channels;

  public GrpcHostInspector(AgentChannels channels) {
    this.channels = channels;
  }

  @Override
  public HostFacts inspect(String address, List<String> names) throws AgentException {
    return ask(address, INSPECT_SECONDS,
        stub -> stub.inspect(InspectRequest.newBuilder().addAllNames(names).build()));
  }

  @Override
  public Clocks clocks(String address) throws AgentException {
    return ask(address, CLOCK_SECONDS,
        stub -> stub.inspect(InspectRequest.newBuilder().setClocksOnly(true).build()).getClocks());
  }

  @Override
  public StorageTried tryStorage(String address, StorageTrial trial) throws AgentException {
    return ask(address, STORAGE_SECONDS, stub -> stub.tryStorage(trial));
  }

  @Override
  public ExpectLinkProbeResponse expectLinkProbe(String address, ExpectLinkProbeRequest request) throws AgentException {
    return ask(address, LINK_SECONDS, stub -> stub.expectLinkProbe(request));
  }

  @Override
  public LinkMeasure measureLink(String address, MeasureLinkRequest request) throws AgentException {
    return ask(address, LINK_SECONDS, stub -> stub.measureLink(request));
  }

  @Override
  public HostSigns lookAtHost(String address, LookAtHostRequest request) throws AgentException {
    return ask(address, LOOK_SECONDS, stub -> stub.lookAtHost(request));
  }

  private <T> T ask(String address, long seconds, Function<HostInspectionBlockingStub, T> question)
      throws AgentException {
    return channels.ask(address, Context.current(), channel -> question.apply(
        HostInspectionGrpc.newBlockingStub(channel).withDeadlineAfter(seconds, TimeUnit.SECONDS)));
  }
}
