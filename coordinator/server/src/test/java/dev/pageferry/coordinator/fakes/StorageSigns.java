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
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** Hosts that tell of each other what a test has them tell. */
public final class StorageSigns implements HostInspector {
  private final SilentInspector silent = new SilentInspector();
  private final Map<String, HostSigns> own = new ConcurrentHashMap<>();
  private final AtomicInteger looks = new AtomicInteger();
  private volatile HostSigns signs = HostSigns.getDefaultInstance();
  private volatile Set<String> kept = Set.of();
  private volatile Runnable afterLook = () -> {
  };

  /** What all say of all others from now on. */
  public void say(HostSigns.Verdict verdict, String reason) {
    signs = HostSigns.newBuilder().setVerdict(verdict).setReason(reason).build();
    own.clear();
  }

  /** What one says of all others from now on. */
  public void says(String host, HostSigns.Verdict verdict, String reason) {
    own.put(FakeSite.address(host), HostSigns.newBuilder().setVerdict(verdict).setReason(reason).build());
  }

  /** Machines that are kept for the host's next agent, by their ids; of those that are asked for. */
  public void keep(String... vmIds) {
    kept = Set.of(vmIds);
  }

  /** Happens when an answer is made. */
  public void afterLook(Runnable event) {
    afterLook = event;
  }

  /** How often anybody was asked. */
  public int looks() {
    return looks.get();
  }

  @Override
  public HostSigns lookAtHost(String address, LookAtHostRequest request) {
    int _ = looks.incrementAndGet();
    afterLook.run();
    return own.getOrDefault(address, signs).toBuilder()
        .addAllKept(request.getVmIdsList().stream().filter(kept::contains).toList()).build();
  }

  @Override
  public HostFacts inspect(String address, List<String> names) throws AgentException {
    return silent.inspect(address, names);
  }

  @Override
  public Clocks clocks(String address) throws AgentException {
    return silent.clocks(address);
  }

  @Override
  public StorageTried tryStorage(String address, StorageTrial trial) throws AgentException {
    return silent.tryStorage(address, trial);
  }

  @Override
  public ExpectLinkProbeResponse expectLinkProbe(String address, ExpectLinkProbeRequest request) throws AgentException {
    return silent.expectLinkProbe(address, request);
  }

  @Override
  public LinkMeasure measureLink(String address, MeasureLinkRequest request) throws AgentException {
    return silent.measureLink(address, request);
  }
}
