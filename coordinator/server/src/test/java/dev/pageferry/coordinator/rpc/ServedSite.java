package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.access.AuditLog;
import dev.pageferry.coordinator.events.EventLog;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.SilentInspector;
import dev.pageferry.coordinator.metrics.CoordinatorMetrics;
import dev.pageferry.coordinator.request.Requests;
import dev.pageferry.coordinator.store.WriteProbe;
import dev.pageferry.coordinator.validation.Validation;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import io.grpc.ClientInterceptor;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** A coordinator's services on a real socket of loopback, with hosts that the test plays. */
final class ServedSite implements AutoCloseable {
  static final Duration HEARTBEAT = Duration.ofMillis(750);
  static final Duration LEASE = Duration.ofMillis(9_500);

  private static final Metadata.Key<RecordsSeen> SEEN = Metadata.Key.of("pageferry-records-seen-bin",
      ProtoUtils.metadataMarshaller(RecordsSeen.getDefaultInstance()));

  private final FakeSite site;
  private final Admissions admissions;
  private final AuditLog audit;
  private final CoordinatorRpc rpc;
  private final ManagedChannel channel;

  ServedSite(Path directory) throws IOException {
    this(new FakeSite(directory));
  }

  ServedSite(FakeSite site) throws IOException {
    this(site, Optional.empty());
  }

  /** @param credentials by which members are known; the channel of this object is of no use then */
  ServedSite(FakeSite site, Optional<Credentials> credentials) throws IOException {
    this.site = site;
    admissions = new Admissions(site.store(), Scheduler.SYSTEM, new Random(8));
    audit = new AuditLog(site.store(), Scheduler.SYSTEM);
    rpc = new CoordinatorRpc(new HostPort("127.0.0.1", 0), "dev", site.inventory(), site.ledger(), site.machines(),
        site.disks(), site.network(), site.migrations(), site.history(), site.repairs(),
        new Requests(site.store(), Scheduler.SYSTEM, new Random(7)),
        new WriteProbe(site.store(), Scheduler.SYSTEM), HEARTBEAT, LEASE,
        new CoordinatorMetrics("test", site.inventory(), site.ledger(), site.history()).serverCalls(),
        new CoordinatorRpc.Access(credentials, admissions, audit),
        new Validation(site.inventory(), site.ledger(), new SilentInspector(), credentials, "dev", Scheduler.SYSTEM,
            new Random(9)),
        new BackupService(site.store(), "dev", Scheduler.SYSTEM), site.deaths(),
        site.failover(new SilentInspector()), site.maintenance(), new EventLog(site.store(), Scheduler.SYSTEM));
    channel = NettyChannelBuilder.forAddress("127.0.0.1", rpc.port()).usePlaintext().build();
  }

  /** The same hosts and records under a new process of the coordinator. */
  ServedSite afterCoordinatorRestart() throws IOException, InterruptedException {
    channel.shutdownNow();
    rpc.close();
    return new ServedSite(site.afterCoordinatorRestart());
  }

  Admissions admissions() {
    return admissions;
  }

  AuditLog audit() {
    return audit;
  }

  CoordinatorRpc rpc() {
    return rpc;
  }

  int port() {
    return rpc.port();
  }

  FakeSite site() {
    return site;
  }

  ManagedChannel channel() {
    return channel;
  }

  ClusterGrpc.ClusterBlockingStub cluster() {
    return ClusterGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  HostRegistryGrpc.HostRegistryBlockingStub registry() {
    return HostRegistryGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  /** As an agent of this version asks, which tells what it has seen of the records: nothing yet. */
  HostRegistryGrpc.HostRegistryBlockingStub registryOfThisVersion() {
    return registry().withInterceptors(seen(RecordsSeen.getDefaultInstance()));
  }

  static ClientInterceptor seen(RecordsSeen seen) {
    Metadata headers = new Metadata();
    headers.put(SEEN, seen);
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }

  OwnershipGrpc.OwnershipBlockingStub ownership() {
    return OwnershipGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  static void refused(Status.Code code, String part, ThrowingCallable call) {
    StatusRuntimeException refusal = catchThrowableOfType(StatusRuntimeException.class, call);
    assertThat(refusal).as("a refusal that says '%s'", part).isNotNull();
    assertThat(refusal.getStatus().getCode()).as(refusal.getMessage()).isEqualTo(code);
    assertThat(refusal.getStatus().getDescription()).contains(part).doesNotContain("\n");
  }

  @Override
  public void close() throws InterruptedException {
    channel.shutdownNow();
    rpc.close();
    site.close();
  }
}
