package dev.pageferry.ferry;

import com.google.protobuf.Timestamp;
import dev.pageferry.common.certificate.MemberFolder;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Surroundings;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterImplBase;
import dev.pageferry.proto.cluster.v1.GetMigrationRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.WatchMigrationRequest;
import dev.pageferry.proto.report.v1.Blackout;
import dev.pageferry.proto.report.v1.MigrationRound;
import dev.pageferry.proto.report.v1.MigrationStage;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What the command does while the JVM records which classes a start needs (a dynamic archive, JEP 350): common commands, asked of a coordinator
 * in the same process that knows one host, one VM and one migration, in plain and over TLS. Touches no cluster, prints nothing.
 */
final class StartTraining {
  private static final List<String> COMMANDS = List.of("--version", "--help", "host list", "host list -o json",
      "vm list", "vm list -o json", "vm show web", "migration list", "migration show m-1",
      "migrate live web --to host-b --watch");
  /** The same classes but for those of TLS, which take as long as all others together. */
  private static final List<String> OVER_TLS = List.of("host list", "vm list");

  private StartTraining() {
  }

  /** Ends with 0 when all commands went well. */
  public static void main(String[] args) throws IOException {
    int worst = trained(null, Map.of(), COMMANDS);
    Path directory = Files.createTempDirectory("ferry-start");
    try {
      worst = Math.max(worst, overTls(directory));
    } finally {
      delete(directory);
    }
    System.exit(worst);
  }

  /** Makes an authority as an operator does, and asks a coordinator that it has certified. */
  private static int overTls(Path directory) throws IOException {
    int made = Ferry.run(quiet(Map.of()), "cert", "init", "--cluster", "training", "--coordinator-name", "one",
        "--operator", "me", "--dir", directory.toString());
    if (made != ExitCode.DONE) {
      return made;
    }
    MemberFolder folder = new MemberFolder(directory);
    SslContext context = TlsContexts.grpcServer(
        Credentials.open(folder.files(Role.COORDINATOR, "one"), Ticker.SYSTEM), PeerCheck.ANY_MEMBER);
    MemberFiles me = folder.files(Role.OPERATOR, "me");
    return trained(context, Map.of("FERRY_TLS_CERT", me.certificate().toString(), "FERRY_TLS_KEY", me.key().toString(),
        "FERRY_TLS_CA", me.authorities().toString()), OVER_TLS);
  }

  private static int trained(@Nullable SslContext context, Map<String, String> environment, List<String> commands)
      throws IOException {
    NettyServerBuilder builder = NettyServerBuilder
        .forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)).addService(new OneOfEach())
        .directExecutor();
    Server server = (context == null ? builder : builder.sslContext(context)).build().start();
    int worst = 0;
    try {
      Map<String, String> all = new HashMap<>(environment);
      all.put("FERRY_COORDINATOR", "127.0.0.1:" + server.getPort());
      for (String command : commands) {
        worst = Math.max(worst, Ferry.run(quiet(all), command.split(" ", -1)));
      }
    } finally {
      server.shutdownNow();
    }
    return worst;
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }

  private static Surroundings quiet(Map<String, String> environment) {
    Surroundings ours = Surroundings.ofProcess();
    PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
    return new Surroundings(nowhere, nowhere, environment, () -> true, () -> true,
        ours.ticker(), ours.pause(), ours.interrupts(), ours.newIds(), ours.questions(), ours.clock(), ours.chance());
  }

  /** A cluster that has one of each. */
  private static final class OneOfEach extends ClusterImplBase {
    private static final Host HOST = Host.newBuilder().setId("host-a").setState(Host.State.UP)
        .setAddress("127.0.0.1:7410").setMemoryBytes(1L << 33).build();
    private static final Vm VM = Vm.newBuilder().setName("web").setId("vm-1").setHost("host-a")
        .setState(Vm.State.RUNNING).setEpoch(1).setMemoryBytes(1L << 30).setVcpus(1).setProgram("idle")
        .setCreatedAt(Timestamp.newBuilder().setSeconds(1_764_000_000)).build();
    private static final Migration DONE = Migration.newBuilder().setId("m-1").setVm("web")
        .setKind(Migration.Kind.LIVE).setSource("host-a").setDestination("host-b").setState(Migration.State.COMPLETED)
        .setStage(MigrationStage.Name.NETWORK_CLEANUP).setTotalSeconds(1.2).setBlackoutSeconds(0.01)
        .setBlackout(Blackout.newBuilder().setPauseSeconds(0.001)).setBytesSent(1L << 30).setPagesSent(1L << 18)
        .addRounds(MigrationRound.newBuilder().setPagesSent(1L << 18).setBytesSent(1L << 30).setSeconds(1)).build();
    private static final Migration RUNNING = DONE.toBuilder().setState(Migration.State.RUNNING)
        .setStage(MigrationStage.Name.PRE_COPY).clearBlackoutSeconds().build();

    @Override
    public void listHosts(ListHostsRequest request, StreamObserver<ListHostsResponse> caller) {
      answer(caller, ListHostsResponse.newBuilder().addHosts(HOST).build());
    }

    @Override
    public void listVms(ListVmsRequest request, StreamObserver<ListVmsResponse> caller) {
      answer(caller, ListVmsResponse.newBuilder().addVms(VM).build());
    }

    @Override
    public void getVm(GetVmRequest request, StreamObserver<Vm> caller) {
      answer(caller, VM);
    }

    @Override
    public void listMigrations(ListMigrationsRequest request, StreamObserver<ListMigrationsResponse> caller) {
      answer(caller, ListMigrationsResponse.newBuilder().addMigrations(DONE).build());
    }

    @Override
    public void getMigration(GetMigrationRequest request, StreamObserver<Migration> caller) {
      answer(caller, DONE);
    }

    @Override
    public void migrateLive(MigrateLiveRequest request, StreamObserver<Migration> caller) {
      answer(caller, RUNNING);
    }

    @Override
    public void watchMigration(WatchMigrationRequest request, StreamObserver<Migration> caller) {
      caller.onNext(RUNNING);
      answer(caller, DONE);
    }

    private static <M> void answer(StreamObserver<M> caller, M message) {
      caller.onNext(message);
      caller.onCompleted();
    }
  }
}
