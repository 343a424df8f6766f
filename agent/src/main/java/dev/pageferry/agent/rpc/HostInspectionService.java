package dev.pageferry.agent.rpc;

import dev.pageferry.agent.inspection.HostInspection;
import dev.pageferry.agent.transport.LinkMeter;
import dev.pageferry.agent.transport.LinkPasses;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeRequest;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeResponse;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.HostInspectionGrpc;
import dev.pageferry.proto.agent.v1.HostSigns;
import dev.pageferry.proto.agent.v1.InspectRequest;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.LookAtHostRequest;
import dev.pageferry.proto.agent.v1.MeasureLinkRequest;
import dev.pageferry.proto.agent.v1.StorageTrial;
import dev.pageferry.proto.agent.v1.StorageTried;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;

/** What the coordinator asks to find out whether this host is fit to take part in moves. Each call may block. */
public final class HostInspectionService extends HostInspectionGrpc.HostInspectionImplBase {
  private final HostInspection inspection;
  private final LinkPasses links;
  private final LinkMeter meter;

  /** @param links that may be measured to this host */
  public HostInspectionService(HostInspection inspection, LinkPasses links, LinkMeter meter) {
    this.inspection = inspection;
    this.links = links;
    this.meter = meter;
  }

  @Override
  public void inspect(InspectRequest request, StreamObserver<HostFacts> observer) {
    AgentReplies.answer(observer, () -> request.getClocksOnly()
        ? HostFacts.newBuilder().setClocks(inspection.clocks()).build()
        : inspection.facts(request.getNamesList()));
  }

  @Override
  public void tryStorage(StorageTrial request, StreamObserver<StorageTried> observer) {
    AgentReplies.answer(observer, () -> inspection.tryStorage(request));
  }

  @Override
  public void expectLinkProbe(ExpectLinkProbeRequest request, StreamObserver<ExpectLinkProbeResponse> observer) {
    AgentReplies.answer(observer, () -> {
      if (inspection.isMigrating()) {
        return ExpectLinkProbeResponse.newBuilder().setBusy(true).build();
      }
      links.expect(new HostId(request.getSourceHost()), request.getToken().toByteArray(),
          Duration.ofMillis(request.getExpiresInMillis()),
          new LinkPasses.Bounds(request.getMostBytes(), Duration.ofMillis(request.getMostMillis())));
      return ExpectLinkProbeResponse.getDefaultInstance();
    });
  }

  @Override
  public void measureLink(MeasureLinkRequest request, StreamObserver<LinkMeasure> observer) {
    AgentReplies.answer(observer, () -> {
      if (inspection.isMigrating()) {
        return LinkMeasure.newBuilder().setBusy(true).build();
      }
      LinkMeter.Measure measured = meter.measure(new HostId(request.getDestinationHost()),
          HostPort.parse(request.getDestinationAddress()), request.getToken().toByteArray(),
          new LinkPasses.Bounds(request.getMostBytes(), Duration.ofMillis(request.getMostMillis())));
      return LinkMeasure.newBuilder().setBytes(measured.bytes()).setSeconds(measured.seconds())
          .setRoundTripSeconds(measured.roundTripSeconds()).setPathMtu(measured.pathMtu()).build();
    });
  }

  @Override
  public void lookAtHost(LookAtHostRequest request, StreamObserver<HostSigns> observer) {
    AgentReplies.answer(observer, () -> {
      HostId host = new HostId(request.getHost());
      HostSigns signs = inspection.lookAt(host, request.getIncarnation());
      // After its agent was found: a keeper that ends now is not needed any more.
      List<VmId> kept = inspection.kept(host, request.getVmIdsList().stream().map(VmId::new).toList());
      return signs.toBuilder().addAllKept(kept.stream().map(VmId::value).toList()).build();
    });
  }
}
