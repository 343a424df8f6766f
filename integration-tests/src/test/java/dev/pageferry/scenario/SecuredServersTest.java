package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.tls.Role;
import dev.pageferry.membership.ClusterCertificates;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Distribution;
import dev.pageferry.support.FreePorts;
import dev.pageferry.support.MetricsPage;
import dev.pageferry.support.ServerProcess;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Servers that know members by certificates, from outside. */
class SecuredServersTest {
  private static final Pattern HTTP = Pattern.compile("listening: .* http 127\\.0\\.0\\.1:(\\d+)");
  private static final Pattern REFUSED = Pattern.compile("does not take this host in: (.*)");
  private static final Pattern REGISTERED = Pattern.compile("registered with the coordinator");

  @TempDir
  Path directory;
  private ClusterCertificates certificates;
  private ServerProcess coordinator;
  private int port;
  private int httpPort;

  @BeforeEach
  void start() throws Exception {
    certificates = new ClusterCertificates(directory.resolve("pki"));
    port = FreePorts.one();
    List<String> arguments = new ArrayList<>(List.of("--listen", "127.0.0.1:" + port, "--http", "127.0.0.1:0", "--data",
        directory.resolve("data").toString()));
    arguments.addAll(certificates.ofCoordinator());
    arguments.removeAll(List.of("--http-plain", "true"));
    coordinator = new ServerProcess(Distribution.PRESENT.program("ferry-coordinator"), arguments,
        directory.resolve("coordinator.log"));
    httpPort = Integer.parseInt(coordinator.start(HTTP).group(1));
  }

  @AfterEach
  void stop() throws Exception {
    coordinator.close();
  }

  private HttpResponse<String> get(String scheme, SSLContext tls, String path) throws Exception {
    try (HttpClient client = HttpClient.newBuilder().sslContext(tls).build()) {
      return client.send(HttpRequest.newBuilder(URI.create("%s://127.0.0.1:%d%s".formatted(scheme, httpPort, path)))
          .build(), HttpResponse.BodyHandlers.ofString());
    }
  }

  private CommandResult ferry(String... words) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of(Distribution.PRESENT.program("ferry").toString()));
    command.addAll(List.of(words));
    Map<String, String> variables = new HashMap<>(certificates.ofOperator());
    variables.put("FERRY_COORDINATOR", "127.0.0.1:" + port);
    return CommandResult.of(command, variables);
  }

  private ServerProcess agent(String host, String... more) throws IOException {
    List<String> arguments = new ArrayList<>(List.of("--host-id", host, "--coordinator", "127.0.0.1:" + port,
        "--memory",
        "64MiB", "--listen", "127.0.0.1:0", "--migration-listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--run-dir",
        directory.resolve("run").toString(), "--rehearse", "false"));
    arguments.addAll(certificates.ofHost(host));
    arguments.addAll(List.of(more));
    return new ServerProcess(Distribution.PRESENT.program("ferry-agent"), arguments, directory.resolve(host + ".log"));
  }

  @Test
  void httpIsHttpsAndSaysWhenTheCertificateEnds() throws Exception {
    assertThat(get("https", certificates.tls(Role.METRICS), "/health/ready").statusCode()).isEqualTo(200);
    Map<String, MetricsPage.Meter> shown = MetricsPage
        .shown(get("https", certificates.tls(Role.METRICS), "/metrics").body());
    assertThat(shown).containsExactlyInAnyOrderEntriesOf(
        MetricsPage.documented(shown.keySet(), "Coordinator", "Both", "With certificates"));
    assertThatThrownBy(() -> get("http", certificates.tls(Role.METRICS), "/health/ready"))
        .isInstanceOf(IOException.class);
  }

  @Test
  void aHostComesByATokenAndGoesWhenItIsDeleted() throws Exception {
    Path token = directory.resolve("token");
    try (ServerProcess agent = agent("host-a", "--join-token-file", token.toString())) {
      assertThat(agent.start(REFUSED).group(1)).contains("host host-a is not admitted");
      CommandResult made = ferry("host", "admit", "--token");
      assertThat(made.exitCode()).as(made.errors()).isZero();
      Files.writeString(token, made.output());
      agent.awaitLog(REGISTERED);
      assertThat(ferry("host", "delete", "host-a").errors()).contains("host host-a is up; end its agent first");
    }
    // Down once it was silent for five seconds.
    await().atMost(Duration.ofSeconds(30))
        .until(() -> ferry("host", "delete", "host-a").exitCode() == 0);
    assertThat(ferry("host", "list").output()).doesNotContain("host-a");
    try (ServerProcess again = agent("host-a", "--join-token-file", token.toString())) {
      assertThat(again.start(REFUSED).group(1)).contains("host host-a was revoked; 'ferry host admit host-a'");
    }
    assertThat(ferry("audit", "host-a").output()).contains("operator somebody", "DeleteHost");
  }

  @Test
  void anAgentDoesNotStartWithTheCertificateOfAnotherHost() throws Exception {
    List<String> arguments = new ArrayList<>(
        List.of(Distribution.PRESENT.program("ferry-agent").toString(), "--host-id",
            "host-b", "--memory", "64MiB", "--run-dir", directory.resolve("run").toString()));
    arguments.addAll(certificates.ofHost("host-a"));
    CommandResult refused = CommandResult.of(arguments, Map.of());
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.errors()).contains("is the certificate of host host-a; this is host host-b").hasLineCount(1);
  }

  @Test
  void aNameThatIsTakenAwayCallsNothing() throws Exception {
    ManagedChannel other = certificates.operator("127.0.0.1", port);
    try {
      ClusterCertificates.admit(other, List.of("host-z"));
      assertThat(ferry("operator", "revoke", "somebody").errors()).contains("another operator has to");
      CommandResult plain = CommandResult.of(List.of(Distribution.PRESENT.program("ferry").toString(), "host", "list"),
          Map.of("FERRY_COORDINATOR", "127.0.0.1:" + port));
      assertThat(plain.exitCode()).isEqualTo(5);
      assertThat(plain.errors()).contains("speaks TLS").hasLineCount(1);
    } finally {
      other.shutdownNow();
    }
  }
}
