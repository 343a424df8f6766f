package dev.pageferry.support;

import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.ListEventsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListPlansRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc.MaintenanceBlockingStub;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.Vm;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** The cluster of a lab, for a program that runs in the namespace of one of its machines. No call lasts without end. */
public final class LabCluster extends ClusterClient implements AutoCloseable {
  private static final String COORDINATOR = "10.98.0.254";
  private static final int PORT = 7400;
  private static final int EVENTS_AT_ONCE = 500;
  private static final Duration LONGEST_CALL = Duration.ofSeconds(60);

  private final ManagedChannel channel;
  /** A coordinator that is back is not to be waited for by the channel's own back-off. */
  private final ScheduledExecutorService reconnecting = Executors.newSingleThreadScheduledExecutor(
      Thread.ofPlatform().daemon().name("reconnecting").factory());

  private LabCluster(ManagedChannel channel) {
    super(channel);
    this.channel = channel;
    var _ = reconnecting.scheduleWithFixedDelay(channel::resetConnectBackoff, 500, 500, TimeUnit.MILLISECONDS);
  }

  /** @param lab the directory of a lab that runs */
  public static LabCluster asOperatorOf(Path lab) throws IOException {
    Path pki = lab.resolve("pki");
    Credentials operator = Credentials.open(new MemberFiles(pki.resolve("operator/operator.crt"),
        pki.resolve("operator/operator.key"), pki.resolve("ca.crt")), Ticker.SYSTEM);
    return new LabCluster(NettyChannelBuilder.forAddress(COORDINATOR, PORT)
        .sslContext(TlsContexts.grpcClient(operator, PeerCheck.any(Role.COORDINATOR))).build());
  }

  @Override
  public ClusterBlockingStub api() {
    return within(LONGEST_CALL);
  }

  private ClusterBlockingStub within(Duration bound) {
    return ClusterGrpc.newBlockingStub(channel).withDeadlineAfter(bound.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Drains, and what brings back what left. */
  public MaintenanceBlockingStub maintenance() {
    return MaintenanceGrpc.newBlockingStub(channel).withDeadlineAfter(LONGEST_CALL.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** All VMs on record, if they are told in time. */
  public List<Vm> vms(Duration bound) {
    return within(bound).listVms(ListVmsRequest.getDefaultInstance()).getVmsList();
  }

  public List<Migration> migrations() {
    return api().listMigrations(ListMigrationsRequest.getDefaultInstance()).getMigrationsList();
  }

  public List<MovePlan> plans() {
    return maintenance().listPlans(ListPlansRequest.getDefaultInstance()).getPlansList();
  }

  /** All that the coordinator remembers of what happened, the oldest first. */
  public List<Event> events() {
    List<Event> all = new ArrayList<>();
    while (true) {
      List<Event> more = EventsGrpc.newBlockingStub(channel)
          .withDeadlineAfter(LONGEST_CALL.toMillis(), TimeUnit.MILLISECONDS)
          .listEvents(ListEventsRequest.newBuilder().setAfter(all.isEmpty() ? 0 : all.getLast().getNumber())
              .setLimit(EVENTS_AT_ONCE).build())
          .getEventsList();
      if (more.isEmpty()) {
        return all;
      }
      all.addAll(more);
    }
  }

  @Override
  public void close() {
    reconnecting.shutdownNow();
    disconnect();
  }
}
