package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.Role;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import io.grpc.Status;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The command and a coordinator over TLS, and what it says where they do not come together. */
final class TlsTest {
  @TempDir
  Path directory;
  private final List<FakeCluster> clusters = new ArrayList<>();
  private TestAuthority authority;
  private MemberFiles operator;

  @BeforeEach
  void certify() throws IOException {
    authority = new TestAuthority(directory.resolve("pki"));
    operator = authority.operator();
  }

  @AfterEach
  void stop() {
    clusters.forEach(FakeCluster::close);
  }

  private FerryRun with(FakeCluster cluster, MemberFiles files) {
    cluster.answer("ListHosts", ListHostsResponse.newBuilder().addHosts(Samples.HOST).build());
    clusters.add(cluster);
    FerryRun ferry = new FerryRun(cluster);
    ferry.environment.put("FERRY_TLS_CERT", files.certificate().toString());
    ferry.environment.put("FERRY_TLS_KEY", files.key().toString());
    ferry.environment.put("FERRY_TLS_CA", files.authorities().toString());
    return ferry;
  }

  private FerryRun with(SslContext server, MemberFiles files) throws IOException {
    return with(new FakeCluster(server), files);
  }

  private String address() {
    return clusters.getLast().address();
  }

  private static void assertRefused(FerryRun ferry, String line) {
    assertThat(ferry.run("host", "list")).as(ferry.err()).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).isEqualTo("ferry: " + line + "\n");
    assertThat(ferry.run("vm", "stop", "web")).as("nothing was sent").isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).isEqualTo("ferry: " + line + "\n");
  }

  @Test
  void theCoordinatorIsAskedOverTlsWithTheCertificateThatWasGiven() throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    assertThat(ferry.run("host", "list", "-o", "name")).as(ferry.err()).isZero();
    assertThat(ferry.out()).isEqualTo("host-a\n");
    assertThat(ferry.err()).isEmpty();
  }

  @Test
  void whatHasToConnectAgainDoesSoOverTls() throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    FakeCluster cluster = clusters.getLast();
    cluster.answer("GetMigration", Samples.COMPLETED.toBuilder().setState(Migration.State.RUNNING).build());
    cluster.dieAt("WatchMigration");
    ferry.afterPause = () -> {
      cluster.answer("WatchMigration", Samples.COMPLETED);
      cluster.startAgain();
      ferry.afterPause = () -> {
      };
    };
    assertThat(ferry.run("migration", "watch", "m-1")).as(ferry.err()).isZero();
    assertThat(ferry.pauses).isNotEmpty();
  }

  @Test
  void filesOfTheConfigurationAreUsedAndOneAloneIsNotEnough() throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    ferry.environment.remove("FERRY_TLS_KEY");
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).isEqualTo(
        "ferry: --tls-cert, --tls-key and --tls-ca are given together or not at all; see 'ferry --help'\n");
    assertThat(ferry.run("host", "list", "--tls-key", operator.key().toString())).isZero();
    Path file = Files.writeString(directory.resolve("ferry.yaml"), "tls-key: %s\n".formatted(operator.key()));
    assertThat(ferry.run("host", "list", "--config", file.toString())).as(ferry.err()).isZero();
  }

  @Test
  void aFileThatCannotBeUsedIsWrongUsageAndNamed() throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    Path missing = directory.resolve("missing.key");
    assertThat(ferry.run("host", "list", "--tls-key", missing.toString())).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).startsWith("ferry: " + missing + " does not exist").hasLineCount(1);
    Path other = authority.member("north", Role.OPERATOR, "bob", TestAuthority.YEAR).key();
    assertThat(ferry.run("host", "list", "--tls-key", other.toString())).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).startsWith("ferry: " + other + " is not the key of " + operator.certificate())
        .hasLineCount(1);
  }

  @Test
  void aCoordinatorThatAnotherAuthorityCertifiedIsNotAsked() throws IOException {
    FerryRun ferry = with(new TestAuthority(directory.resolve("other")).coordinator(), operator);
    assertRefused(ferry, "the certificate of the coordinator at %s is not accepted: no authority in %s has given it; %s"
        .formatted(address(), operator.authorities(), "use the --tls-ca of that cluster"));
  }

  @Test
  void aCoordinatorOfAnotherClusterIsNotAsked() throws IOException {
    FerryRun ferry = with(
        TestAuthority.server(authority.member("south", Role.COORDINATOR, "two", TestAuthority.YEAR)), operator);
    assertRefused(ferry, "the certificate of the coordinator at %s is not accepted: %s".formatted(address(),
        "the peer is coordinator two of cluster south; this is cluster north"));
  }

  @Test
  void aHostInTheCoordinatorsPlaceIsNotAsked() throws IOException {
    FerryRun ferry = with(TestAuthority.server(authority.member("north", Role.HOST, "host-a", TestAuthority.YEAR)),
        operator);
    assertRefused(ferry, "the certificate of the coordinator at %s is not accepted: %s".formatted(address(),
        "the peer is host host-a; a coordinator was expected"));
  }

  @Test
  void aCoordinatorWhoseCertificateHasExpiredIsNotAsked() throws IOException {
    FerryRun ferry = with(TestAuthority.server(authority.member("north", Role.COORDINATOR, "one",
        Instant.now().minus(Duration.ofDays(3)), Duration.ofDays(2))), operator);
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).startsWith("ferry: the certificate of the coordinator at " + address()
        + " is not accepted: it has expired (NotAfter: ").hasLineCount(1);
  }

  @Test
  void aCertificateThatTheCoordinatorDoesNotAcceptIsNamed() throws IOException {
    TestAuthority strange = new TestAuthority(directory.resolve("strange"));
    MemberFiles stranger = strange.operator();
    MemberFiles mixed = new MemberFiles(stranger.certificate(), stranger.key(), operator.authorities());
    FerryRun ferry = with(authority.coordinator(), mixed);
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).startsWith("ferry: the coordinator at %s does not accept the certificate %s"
        .formatted(address(), stranger.certificate())).hasLineCount(1);
    assertThat(ferry.run("vm", "stop", "web")).as("nothing was sent").isEqualTo(ExitCode.UNREACHABLE);
  }

  @Test
  void aPlainCommandIsToldThatTheCoordinatorSpeaksTls() throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    ferry.environment.keySet().removeIf(each -> each.startsWith("FERRY_TLS"));
    assertRefused(ferry,
        "the coordinator at %s speaks TLS; give --tls-cert, --tls-key and --tls-ca, or name a context; see 'ferry context --help'"
            .formatted(address()));
  }

  @Test
  void aCommandOverTlsIsToldThatTheCoordinatorDoesNotSpeakIt() throws IOException {
    FerryRun ferry = with(new FakeCluster(), operator);
    assertRefused(ferry,
        "what listens at %s does not speak TLS; leave out --tls-cert, --tls-key and --tls-ca, or name the coordinator's --listen address"
            .formatted(address()));
  }

  @Test
  void aCoordinatorThatIsNotThereIsUnreachableOverTlsToo() throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    clusters.getLast().stop();
    assertRefused(ferry,
        "cannot reach the coordinator at %s; Connection refused; start it, or name another with --coordinator"
            .formatted(address()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"PERMISSION_DENIED", "UNAUTHENTICATED"})
  void whatTheCoordinatorDoesNotAllowIsRefusedInItsOwnWords(String code) throws IOException {
    FerryRun ferry = with(authority.coordinator(), operator);
    clusters.getLast().refuse("StopVm",
        Status.fromCode(Status.Code.valueOf(code)).withDescription("viewer bob may not"));
    assertThat(ferry.run("vm", "stop", "web")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).isEqualTo("ferry: viewer bob may not\n");
  }

  @Test
  void aCertificateThatEndsSoonIsWarnedOfUnlessQuiet() throws IOException {
    FerryRun ferry = with(authority.coordinator(),
        authority.member("north", Role.OPERATOR, "alice", Duration.ofDays(29)));
    assertThat(ferry.run("host", "list")).isZero();
    assertThat(ferry.err()).startsWith("warning: the certificate " + operator.certificate() + " ends on ")
        .contains("(days left: 28)").hasLineCount(1);
    assertThat(ferry.run("host", "list", "-q")).isZero();
    assertThat(ferry.err()).isEmpty();
  }

  @Test
  void aCertificateThatHasExpiredIsNamedWithItsDay() throws IOException {
    Instant begin = Instant.parse("2025-03-01T12:00:00Z");
    FerryRun ferry = with(authority.coordinator(),
        authority.member("north", Role.OPERATOR, "alice", begin, Duration.ofDays(10)));
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).startsWith("ferry: the certificate %s has expired on 2025-03-11; "
        .formatted(operator.certificate())).hasLineCount(1);
    ferry.now = begin;
    assertThat(ferry.run("host", "list", "-q")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).startsWith("ferry: the coordinator at " + address() + " does not accept the certificate "
        + operator.certificate()).hasLineCount(1);
  }
}
