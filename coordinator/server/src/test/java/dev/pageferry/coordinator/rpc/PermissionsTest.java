package dev.pageferry.coordinator.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TestMembers;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.proto.agent.v1.VmStatus;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AdmitHostRequest;
import dev.pageferry.proto.cluster.v1.AuditEntry;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.BackupGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.DeleteHostRequest;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.RevokeMemberRequest;
import dev.pageferry.proto.cluster.v1.ValidationGrpc;
import dev.pageferry.proto.cluster.v1.WhoAmIRequest;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.registry.v1.CommitRequest;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.OwnershipGrpc;
import dev.pageferry.proto.registry.v1.ProbeRequest;
import dev.pageferry.proto.registry.v1.RecordsSeen;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import dev.pageferry.proto.registry.v1.StartedRequest;
import dev.pageferry.proto.registry.v1.TakeOverRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every method of every service, with every kind of caller. */
@Timeout(120)
class PermissionsTest {
  private static final List<ServiceDescriptor> SERVICES = List.of(ClusterGrpc.getServiceDescriptor(),
      AccessGrpc.getServiceDescriptor(), AvailabilityGrpc.getServiceDescriptor(),
      MaintenanceGrpc.getServiceDescriptor(), EventsGrpc.getServiceDescriptor(),
      ValidationGrpc.getServiceDescriptor(),
      BackupGrpc.getServiceDescriptor(),
      HostRegistryGrpc.getServiceDescriptor(),
      OwnershipGrpc.getServiceDescriptor(), HealthGrpc.getServiceDescriptor(),
      ServerReflectionGrpc.getServiceDescriptor());
  private static final Set<String> READS = Set.of("ListHosts", "GetHost", "ListVms", "GetVm", "ListDisks", "GetDisk",
      "ListVteps", "ListMigrations", "GetMigration", "WatchMigration", "WhoAmI", "PlaceVm", "CheckHa",
      "GetHaStatus", "GetPlan", "ListPlans", "ListEvents");

  @TempDir
  Path directory;
  private TestMembers members;
  private ServedSite served;
  private final List<ManagedChannel> channels = new ArrayList<>();

  @BeforeEach
  void open() throws Exception {
    members = new TestMembers(directory.resolve("pki"), "north");
    served = new ServedSite(new FakeSite(directory), Optional.of(members.of(Role.COORDINATOR, "c")));
    served.admissions().admit(new HostId("host-a"));
  }

  @AfterEach
  void close() throws Exception {
    channels.forEach(ManagedChannel::shutdownNow);
    served.close();
  }

  private ManagedChannel channel(Credentials credentials) {
    return keep(NettyChannelBuilder.forAddress("127.0.0.1", served.port())
        .sslContext(TlsContexts.grpcClient(credentials, PeerCheck.any(Role.COORDINATOR))).build());
  }

  private ManagedChannel channel(Role role, String name) throws Exception {
    return channel(members.of(role, name));
  }

  private ManagedChannel keep(ManagedChannel channel) {
    channels.add(channel);
    return channel;
  }

  /** What becomes of an empty request. A stream that begins to answer was permitted. */
  private static Status call(ManagedChannel channel, String method) throws Exception {
    MethodDescriptor.Marshaller<InputStream> bytes = new MethodDescriptor.Marshaller<>() {
      @Override
      public InputStream stream(InputStream value) {
        return value;
      }

      @Override
      public InputStream parse(InputStream stream) {
        return stream;
      }
    };
    MethodDescriptor<InputStream, InputStream> descriptor = MethodDescriptor.newBuilder(bytes, bytes)
        .setFullMethodName(method).setType(MethodDescriptor.MethodType.UNKNOWN).build();
    ClientCall<InputStream, InputStream> call = channel.newCall(descriptor,
        CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS));
    CompletableFuture<Status> status = new CompletableFuture<>();
    call.start(new ClientCall.Listener<>() {
      @Override
      public void onMessage(InputStream message) {
        status.complete(Status.OK);
      }

      @Override
      public void onClose(Status closed, Metadata trailers) {
        status.complete(closed);
      }
    }, new Metadata());
    call.request(1);
    call.sendMessage(new ByteArrayInputStream(new byte[0]));
    call.halfClose();
    Status result = status.get(30, TimeUnit.SECONDS);
    call.cancel("heard enough", null);
    return result;
  }

  private static List<String> methods() {
    return SERVICES.stream().flatMap(each -> each.getMethods().stream()).map(MethodDescriptor::getFullMethodName)
        .toList();
  }

  private static Set<Role> permitted(String method) {
    String service = MethodDescriptor.extractFullServiceName(method);
    if (service == null) {
      throw new IllegalArgumentException(method);
    }
    String name = method.substring(service.length() + 1);
    return switch (service) {
      case ClusterGrpc.SERVICE_NAME, AccessGrpc.SERVICE_NAME, ValidationGrpc.SERVICE_NAME,
          BackupGrpc.SERVICE_NAME, AvailabilityGrpc.SERVICE_NAME, MaintenanceGrpc.SERVICE_NAME,
          EventsGrpc.SERVICE_NAME ->
        READS.contains(name)
            ? Set.of(Role.OPERATOR, Role.VIEWER)
            : Set.of(Role.OPERATOR);
      case HostRegistryGrpc.SERVICE_NAME, OwnershipGrpc.SERVICE_NAME -> Set.of(Role.HOST);
      default -> Set.of(Role.values());
    };
  }

  static Stream<Role> roles() {
    return Stream.of(Role.values());
  }

  @ParameterizedTest
  @MethodSource("roles")
  void aMemberMayCallTheMethodsOfItsRoleAndNoOthers(Role role) throws Exception {
    ManagedChannel channel = channel(role, role == Role.HOST ? "host-a" : "m");
    for (String method : methods()) {
      Status status = call(channel, method);
      assertThat(status.getCode()).as("%s by a %s: %s", method, role.word(), status).isNotIn(Code.UNAVAILABLE,
          Code.UNAUTHENTICATED, Code.DEADLINE_EXCEEDED);
      assertThat(status.getCode() != Code.PERMISSION_DENIED).as("%s by a %s: %s", method, role.word(), status)
          .isEqualTo(permitted(method).contains(role));
    }
  }

  @Test
  void whoHasNoCertificateThatCountsCallsNothing() throws Exception {
    TestMembers elsewhere = new TestMembers(directory.resolve("elsewhere"), "north");
    List<ManagedChannel> strangers = List.of(
        keep(NettyChannelBuilder.forAddress("127.0.0.1", served.port()).usePlaintext().build()),
        channel(members.expired(Role.OPERATOR, "late")), channel(elsewhere.of(Role.OPERATOR, "alice")),
        channel(members.ofCluster("south", Role.OPERATOR, "alice")));
    for (ManagedChannel each : strangers) {
      for (String method : methods()) {
        assertThat(call(each, method).getCode()).as(method).isIn(Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN);
      }
    }
    assertThat(served.audit().list(10, "")).isEmpty();
  }

  @Test
  void aNameThatIsTakenAwayIsRefusedAtOnceOnAConnectionThatIsOpen() throws Exception {
    ManagedChannel bob = channel(Role.OPERATOR, "bob");
    ManagedChannel alice = channel(Role.OPERATOR, "alice");
    assertThat(call(bob, "pageferry.cluster.v1.Cluster/ListHosts").getCode()).isEqualTo(Code.OK);
    var access = AccessGrpc.newBlockingStub(alice);
    var _ = access.revokeMember(RevokeMemberRequest.newBuilder().setRole("operator").setName("bob").build());
    for (String method : methods()) {
      assertThat(call(bob, method).getCode()).as(method).isEqualTo(Code.PERMISSION_DENIED);
    }
    ServedSite.refused(Code.FAILED_PRECONDITION, "another operator", () -> access
        .revokeMember(RevokeMemberRequest.newBuilder().setRole("operator").setName("alice").build()));
    ServedSite.refused(Code.INVALID_ARGUMENT, "not a role that can be revoked", () -> access
        .revokeMember(RevokeMemberRequest.newBuilder().setRole("coordinator").setName("c").build()));
    var _ = access.revokeMember(
        RevokeMemberRequest.newBuilder().setRole("operator").setName("bob").setPermit(true).build());
    assertThat(call(bob, "pageferry.cluster.v1.Cluster/ListHosts").getCode()).isEqualTo(Code.OK);
  }

  private static RegisterRequest registration(String host, String token) {
    return RegisterRequest.newBuilder().setHostId(host).setIncarnation(host + "-1").setAddress("127.0.0.1:1")
        .setMigrationAddress("127.0.0.1:2").setMemoryBytes(10).setVersion("1").setJoinToken(token).build();
  }

  @Test
  void aHostIsTakenInByItsNameOrByATokenOfOneUse() throws Exception {
    var access = AccessGrpc.newBlockingStub(channel(Role.OPERATOR, "alice"));
    var b = HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-b")).withInterceptors(ServedSite.seen(
        RecordsSeen.getDefaultInstance()));
    RegisterResponse refused = b.register(registration("host-b", ""));
    assertThat(refused.getRefusal()).isEqualTo(RegisterResponse.Refusal.WAIT);
    assertThat(refused.getReason()).contains("'ferry host admit host-b'");
    ServedSite.refused(Code.PERMISSION_DENIED, "host host-b is not admitted", () -> OwnershipGrpc
        .newBlockingStub(b.getChannel()).probe(ProbeRequest.getDefaultInstance()));
    String token = access.admitHost(AdmitHostRequest.getDefaultInstance()).getToken();
    assertThat(b.register(registration("host-b", "guessed")).getReason()).contains("of no use");
    assertThat(b.register(registration("host-b", token)).getRefusal()).isEqualTo(RegisterResponse.Refusal.NONE);
    served.site().timeOutAllBut();
    var c = HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-c")).withInterceptors(ServedSite.seen(
        RecordsSeen.getDefaultInstance()));
    assertThat(c.register(registration("host-c", token)).getRefusal()).as("used up")
        .isEqualTo(RegisterResponse.Refusal.WAIT);
    var _ = access.admitHost(AdmitHostRequest.newBuilder().addHostIds("host-c").build());
    assertThat(c.register(registration("host-c", "")).getRefusal()).isEqualTo(RegisterResponse.Refusal.NONE);
  }

  @Test
  void aHostSpeaksForItselfAlone() throws Exception {
    ManagedChannel a = channel(Role.HOST, "host-a");
    served.admissions().admit(new HostId("host-b"));
    ServedSite.refused(Code.PERMISSION_DENIED, "host host-a may not speak for host host-b",
        () -> HostRegistryGrpc.newBlockingStub(a).register(registration("host-b", "")));
    ServedSite.refused(Code.PERMISSION_DENIED, "host host-a may not speak for host host-b",
        () -> HostRegistryGrpc.newBlockingStub(a).heartbeat(
            HeartbeatRequest.newBuilder().setHostId("host-b").setIncarnation("x").build()));
  }

  @Test
  void aHostThatIsDeletedIsRefusedUntilItIsAdmittedAgain() throws Exception {
    ManagedChannel a = channel(Role.HOST, "host-a");
    var access = AccessGrpc.newBlockingStub(channel(Role.OPERATOR, "alice"));
    var _ = HostRegistryGrpc.newBlockingStub(a).register(registration("host-a", ""));
    ServedSite.refused(Code.FAILED_PRECONDITION, "host host-a is up",
        () -> access.deleteHost(DeleteHostRequest.newBuilder().setId("host-a").build()));
    served.site().timeOutAllBut();
    var _ = access.deleteHost(DeleteHostRequest.newBuilder().setId("host-a").build());
    assertThat(served.site().inventory().find(new HostId("host-a"))).isEmpty();
    assertThat(call(a, "pageferry.registry.v1.Ownership/Probe").getCode()).isEqualTo(Code.PERMISSION_DENIED);
    var registry = HostRegistryGrpc.newBlockingStub(a)
        .withInterceptors(ServedSite.seen(RecordsSeen.getDefaultInstance()));
    assertThat(registry.register(registration("host-a", "")).getRefusal())
        .as("what it was may run what runs elsewhere by now").isEqualTo(RegisterResponse.Refusal.SUPERSEDED);
    assertThat(registry.heartbeat(HeartbeatRequest.newBuilder().setHostId("host-a").setIncarnation("host-a-1").build())
        .getUnknown()).as("so that it registers, and hears that").isTrue();
    RegisterRequest anew = registration("host-a", "").toBuilder().setIncarnation("host-a-2").build();
    assertThat(registry.register(anew).getReason()).contains("host host-a was revoked");
    ServedSite.refused(Code.NOT_FOUND, "host host-x is not known",
        () -> access.deleteHost(DeleteHostRequest.newBuilder().setId("host-x").build()));
    var _ = access.admitHost(AdmitHostRequest.newBuilder().addHostIds("host-a").build());
    assertThat(registry.register(registration("host-a", "")).getRefusal())
        .isEqualTo(RegisterResponse.Refusal.SUPERSEDED);
    assertThat(registry.register(anew).getRefusal()).isEqualTo(RegisterResponse.Refusal.NONE);
  }

  @Test
  void aHostThatIsUpIsShutOutAtOnce() throws Exception {
    ManagedChannel a = channel(Role.HOST, "host-a");
    var access = AccessGrpc.newBlockingStub(channel(Role.OPERATOR, "alice"));
    var registry = HostRegistryGrpc.newBlockingStub(a)
        .withInterceptors(ServedSite.seen(RecordsSeen.getDefaultInstance()));
    var _ = registry.register(registration("host-a", ""));
    var _ = access.revokeMember(RevokeMemberRequest.newBuilder().setRole("host").setName("host-a").build());
    ServedSite.refused(Code.PERMISSION_DENIED, "host host-a was revoked", () -> registry.heartbeat(
        HeartbeatRequest.newBuilder().setHostId("host-a").setIncarnation("host-a-1").build()));
    for (MethodDescriptor<?, ?> each : OwnershipGrpc.getServiceDescriptor().getMethods()) {
      assertThat(call(a, each.getFullMethodName()).getCode()).as(each.getFullMethodName())
          .isEqualTo(Code.PERMISSION_DENIED);
    }
    ServedSite.refused(Code.FAILED_PRECONDITION, "ferry host admit host-a", () -> access.revokeMember(
        RevokeMemberRequest.newBuilder().setRole("host").setName("host-a").setPermit(true).build()));
    var _ = access.admitHost(AdmitHostRequest.newBuilder().addHostIds("host-a").build());
    assertThat(registry.heartbeat(HeartbeatRequest.newBuilder().setHostId("host-a").setIncarnation("host-a-1").build())
        .getUnknown()).as("it was no other meanwhile").isFalse();
  }

  @Test
  void whatAHostHasSeenThatNobodyAdmittedProvesNothing() throws Exception {
    RecordsSeen invented = RecordsSeen.newBuilder().setHostId("host-x").setIncarnation("x")
        .addStamps(served.site().history().stamp().toBuilder().setStartId("never").setRevision(1_000_000)).build();
    var stranger = HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-x"))
        .withInterceptors(ServedSite.seen(invented));
    assertThat(stranger.register(registration("host-x", "")).getRefusal()).isEqualTo(RegisterResponse.Refusal.WAIT);
    assertThat(served.site().history().isInTrouble()).isFalse();
    served.admissions().admit(new HostId("host-x"));
    var _ = stranger.register(registration("host-x", ""));
    assertThat(served.site().history().isInTrouble()).as("one that belongs here is believed").isTrue();
  }

  @Test
  void aHostDoesNotTakeTheAddressOfAnotherThatIsUp() throws Exception {
    served.admissions().admit(new HostId("host-b"));
    var seen = ServedSite.seen(RecordsSeen.getDefaultInstance());
    var _ = HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-a")).withInterceptors(seen)
        .register(registration("host-a", ""));
    assertThat(HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-b")).withInterceptors(seen)
        .register(registration("host-b", "")).getReason()).contains("has the address 127.0.0.1:1");
  }

  @Test
  void whoChangedWhatIsInTheLogWithItsEnd() throws Exception {
    ManagedChannel alice = channel(Role.OPERATOR, "alice");
    ServedSite.refused(Code.NOT_FOUND, "nosuch", () -> ClusterGrpc.newBlockingStub(alice)
        .pauseVm(PauseVmRequest.newBuilder().setName("nosuch").build()));
    var _ = AccessGrpc.newBlockingStub(alice).whoAmI(WhoAmIRequest.getDefaultInstance());
    await().until(() -> served.audit().list(10, "").getFirst().hasOutcome());
    List<AuditEntry> entries = served.audit().list(10, "");
    assertThat(entries).hasSize(1);
    AuditEntry entry = entries.getFirst();
    assertThat(entry.getWho()).isEqualTo("operator alice");
    assertThat(entry.getMethod()).isEqualTo("PauseVm");
    assertThat(entry.getRequest()).contains("nosuch");
    assertThat(entry.getFrom()).isEqualTo("127.0.0.1");
    assertThat(entry.getOutcome()).isEqualTo("NOT_FOUND");
    assertThat(entry.getReason()).contains("nosuch");
    assertThat(served.audit().list(10, "nosuc")).as("a part of a word").isEmpty();
    assertThat(served.audit().list(10, "nosuch")).hasSize(1);
  }

  @Test
  void aHostThatLiesAboutTheVmsOfAnotherHarmsNone() throws Exception {
    FakeSite site = served.site();
    for (String each : List.of("host-a", "host-b")) {
      site.register(each);
      served.admissions().admit(new HostId(each));
    }
    site.createVm("db", "host-a");
    String vm = site.vmId("db").value();
    var liar = HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-b"));
    for (long epoch : new long[]{1, 2, 99}) {
      for (VmStatus.State state : List.of(VmStatus.State.RUNNING, VmStatus.State.POWERED_OFF)) {
        assertThat(liar.heartbeat(HeartbeatRequest.newBuilder().setHostId("host-b")
            .setIncarnation(site.incarnation("host-b").value())
            .addVms(VmStatus.newBuilder().setId(vm).setEpoch(epoch).setState(state)).build()).getStaleVmsList())
            .as("no word by which its copy might go where records are in doubt").isEmpty();
      }
    }
    assertThat(HostRegistryGrpc.newBlockingStub(channel(Role.HOST, "host-a"))
        .heartbeat(HeartbeatRequest.newBuilder().setHostId("host-a").setIncarnation(site.incarnation("host-a").value())
            .addVms(VmStatus.newBuilder().setId(vm).setEpoch(1).setState(VmStatus.State.RUNNING)).build())
        .getStaleVmsList()).as("its owner goes on").isEmpty();
    assertThat(site.row("db").getOwnerHost()).isEqualTo("host-a");
    assertThat(site.row("db").getPhase()).isEqualTo(VmRecord.Phase.ACTIVE);
    ServedSite.refused(Code.PERMISSION_DENIED, "may not speak for", () -> OwnershipGrpc
        .newBlockingStub(channel(Role.HOST, "host-b")).started(StartedRequest.newBuilder().setVmId(vm)
            .setHostId("host-a").setIncarnation(site.incarnation("host-a").value()).setEpoch(1).build()));
    ServedSite.refused(Code.PERMISSION_DENIED, "may not speak for", () -> OwnershipGrpc
        .newBlockingStub(channel(Role.HOST, "host-b")).takeOver(TakeOverRequest.newBuilder().setVmId(vm)
            .setHostId("host-a").setIncarnation("another").build()));
  }

  @Test
  void aCommitInSomebodyElsesNameIsRefused() throws Exception {
    FakeSite site = served.site();
    site.register("host-a");
    site.register("host-b");
    served.admissions().admit(new HostId("host-b"));
    served.admissions().admit(new HostId("host-c"));
    site.createVm("db", "host-a");
    String migration = site.migrate("db", "host-b").getId();
    for (String thief : List.of("host-b", "host-c")) {
      ServedSite.refused(Code.PERMISSION_DENIED, "it is not its to ask", () -> OwnershipGrpc
          .newBlockingStub(channel(Role.HOST, thief)).commit(CommitRequest.newBuilder()
              .setVmId(site.vmId("db").value()).setMigrationId(migration).build()));
    }
    assertThat(site.row("db").getOwnerHost()).isEqualTo("host-a");
  }
}
