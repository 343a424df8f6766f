package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Distribution;
import dev.pageferry.support.FreePorts;
import dev.pageferry.support.ListeningSockets;
import dev.pageferry.support.MetricsPage;
import dev.pageferry.support.ServerProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a coordinator and an agent show of themselves, how they log, and how they end. */
class ServersTest {
  private static final Pattern LISTENING = Pattern.compile("listening: grpc .*?http 127\\.0\\.0\\.1:(\\d+)");
  private static final Pattern REGISTERED = Pattern.compile("registered with the coordinator");
  /** 127.0.0.1, the same mapped to IPv6, and ::1. */
  private static final String LOOPBACK = "(0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000):.*";

  @TempDir
  Path directory;
  private final HttpClient http = HttpClient.newHttpClient();
  private ServerProcess coordinator;
  private ServerProcess agent;
  private int coordinatorPort;
  private int coordinatorHttp;
  private int agentHttp;

  @BeforeEach
  void start() throws Exception {
    coordinatorPort = FreePorts.one();
    coordinator = new ServerProcess(Distribution.PRESENT.program("ferry-coordinator"),
        List.of("--listen", "127.0.0.1:" + coordinatorPort, "--http", "127.0.0.1:0", "--data",
            directory.resolve("data").toString(), "--log-format", "json"),
        directory.resolve("coordinator.log"));
    agent = agent("host-a", coordinatorPort, "--rehearse", "false");
    // The agent comes first: what it says of itself before it is registered is looked at, too.
    agentHttp = Integer.parseInt(agent.start(LISTENING).group(1));
  }

  private ServerProcess agent(String host, int coordinatorPort, String... more) {
    List<String> arguments = new ArrayList<>(List.of("--host-id", host, "--coordinator",
        "127.0.0.1:" + coordinatorPort, "--memory", "64MiB", "--listen", "127.0.0.1:0", "--migration-listen",
        "127.0.0.1:0", "--http", "127.0.0.1:0", "--run-dir", directory.resolve("run").toString(), "--log-format",
        "json"));
    arguments.addAll(List.of(more));
    return new ServerProcess(Distribution.PRESENT.program("ferry-agent"), arguments, directory.resolve(host + ".log"));
  }

  private void startCoordinator() throws IOException {
    coordinatorHttp = Integer.parseInt(coordinator.start(LISTENING).group(1));
    agent.awaitLog(REGISTERED);
  }

  @AfterEach
  void stop() throws Exception {
    agent.close();
    coordinator.close();
  }

  private HttpResponse<String> get(int port, String path) throws IOException, InterruptedException {
    return http.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d%s".formatted(port, path))).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  @Test
  void theMetricsPageListsExactlyWhatFreshServersShow() throws Exception {
    startCoordinator();
    Map<String, MetricsPage.Meter> ofAgent = MetricsPage.shown(get(agentHttp, "/metrics").body());
    Map<String, MetricsPage.Meter> ofCoordinator = MetricsPage.shown(get(coordinatorHttp, "/metrics").body());

    assertThat(ofAgent)
        .containsExactlyInAnyOrderEntriesOf(MetricsPage.documented(ofAgent.keySet(), "Agent", "Both"));
    assertThat(ofCoordinator)
        .containsExactlyInAnyOrderEntriesOf(MetricsPage.documented(ofCoordinator.keySet(), "Coordinator", "Both"));
  }

  @Test
  void callsBetweenAgentAndCoordinatorAreCountedOnBothSides() throws Exception {
    startCoordinator();
    String beats = "service=\"pageferry.registry.v1.HostRegistry\"";
    assertThat(get(coordinatorHttp, "/metrics").body()).containsPattern(
        "grpc_server_processing_duration_seconds_count\\{method=\"Register\",method_type=\"UNARY\"," + beats
            + ",status_code=\"OK\"\\} [1-9]");
    assertThat(get(agentHttp, "/metrics").body()).containsPattern(
        "grpc_client_processing_duration_seconds_count\\{method=\"Register\",method_type=\"UNARY\"," + beats
            + ",status_code=\"OK\"\\} [1-9]");
  }

  @Test
  void anAgentIsReadyOnceItIsRegisteredAndSaysUntilThenWhyNot() throws Exception {
    HttpResponse<String> before = get(agentHttp, "/health/ready");
    assertThat(before.statusCode()).isEqualTo(503);
    assertThat(before.body()).contains("not registered with the coordinator");
    assertThat(get(agentHttp, "/health/live").statusCode()).isEqualTo(200);

    startCoordinator();

    Awaitility.await().until(() -> get(agentHttp, "/health/ready").statusCode() == 200);
    Awaitility.await().until(() -> get(coordinatorHttp, "/health/ready").statusCode() == 200);
  }

  @Test
  void nothingListensBeyondLoopback() throws Exception {
    startCoordinator();

    assertThat(ListeningSockets.of(coordinator.pid())).hasSize(2).allMatch(each -> each.matches(LOOPBACK));
    assertThat(ListeningSockets.of(agent.pid())).as("gRPC, migration, HTTP, VXLAN").hasSize(4)
        .allMatch(each -> each.matches(LOOPBACK));
  }

  @Test
  void serversEndWithZeroOnSigtermAndSigint() throws Exception {
    startCoordinator();

    assertThat(agent.end("TERM")).isZero();
    assertThat(coordinator.end("INT")).isZero();
  }

  @Test
  void logsAreJsonObjectsOnDemand() throws Exception {
    startCoordinator();

    for (ServerProcess each : List.of(coordinator, agent)) {
      List<String> lines = each.logOfThisStart().lines().toList();
      assertThat(lines).isNotEmpty().allSatisfy(line -> {
        JsonObject event = JsonParser.parseString(line).getAsJsonObject();
        assertThat(event.get("timestamp").getAsLong()).isPositive();
        assertThat(event.get("level").getAsString()).isIn("INFO", "WARN", "ERROR");
        assertThat(event.get("loggerName").getAsString()).isNotEmpty();
        assertThat(event.get("formattedMessage").getAsString()).isNotEmpty();
      });
    }
  }

  @Test
  void streamsOfPagesAskTheKernelForTheCongestionControlOfTheOption() throws Exception {
    startCoordinator();
    // A rehearsal is a migration of this host to itself. What the kernel does not have shows in the log.
    try (ServerProcess other = agent("host-b", coordinatorPort, "--congestion-control", "nosuch")) {
      other.start(LISTENING);
      other.awaitLog(Pattern.compile("the kernel does not offer congestion control nosuch"));
    }
  }

  @Test
  void whatIsWrongWithSettingsOfTheLogIsReportedWithTheOtherProblems() throws Exception {
    CommandResult refused = CommandResult.of(
        List.of(Distribution.PRESENT.program("ferry-agent").toString(), "--log-format", "xml", "--memory", "none"),
        Map.of("FERRY_LOG_LEVEL", "wrn", "FERRY_LISTN", "127.0.0.1:0"));

    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.errors()).contains("'xml' is neither text nor json").contains("memory")
        .contains("'wrn' is none of error, warn, info, debug, trace")
        .contains("FERRY_LISTN is not a setting; did you mean FERRY_LISTEN?");
  }

  @Test
  void theSettingsFileSaysHowLogsAreWritten() throws Exception {
    Path config = Files.writeString(directory.resolve("coordinator.yaml"), "log-format: json\nlog-level: warn\n");
    Path log = directory.resolve("configured.log");
    try (ServerProcess configured = new ServerProcess(Distribution.PRESENT.program("ferry-coordinator"),
        List.of("--config", config.toString(), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data",
            directory.resolve("configured").toString(), "--log-level", "info"),
        log)) {
      configured.start(LISTENING);
    }

    assertThat(Files.readAllLines(log)).isNotEmpty().allMatch(line -> line.startsWith("{"));
  }

  @Test
  void aRefusalThatQuotesALongTextArrives() throws Exception {
    startCoordinator();
    CommandResult refused = CommandResult.of(List.of(Distribution.PRESENT.program("ferry").toString(), "--coordinator",
        "127.0.0.1:" + coordinatorPort, "vm", "show", "\u00fc".repeat(9000)), Map.of());

    assertThat(refused.exitCode()).isEqualTo(3);
    assertThat(refused.errors()).hasLineCount(1).contains("\u00fc").contains(" … ");
  }
}
