package dev.pageferry.coordinator;

import dev.pageferry.common.config.Settings;
import dev.pageferry.common.server.RunningServer;
import dev.pageferry.common.server.ServerProgram;
import org.jspecify.annotations.Nullable;
import org.slf4j.bridge.SLF4JBridgeHandler;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The {@code ferry-coordinator} program. */
@Command(name = "ferry-coordinator", sortOptions = false,
    description = "Knows the hosts and the virtual machines, says who may run each, and supervises migrations.%n",
    footer = {"", "Each option may also stand in the file given by --config (YAML, names without dashes) or in an",
        "environment variable: --listen is FERRY_LISTEN. Port 0 means any free port."})
public final class CoordinatorMain extends ServerProgram {
  @Option(names = "--listen", paramLabel = "HOST:PORT",
      description = "gRPC, for operators and agents. Default 127.0.0.1:7400.")
  @Nullable
  String listen;
  @Option(names = "--http", paramLabel = "HOST:PORT", description = "Metrics and health. Default 127.0.0.1:7480.")
  @Nullable
  String http;
  @Option(names = "--data", paramLabel = "DIR",
      description = "Where records are kept; made if it is missing. Required.")
  @Nullable
  String data;
  @Option(names = "--moves-per-host", paramLabel = "N",
      description = "Of planned work (drains, fail-backs, rebalancing): how many moves may leave a host, or come to it, at the same time, 1 to 16. Default 1.")
  @Nullable
  String movesPerHost;
  @Option(names = "--fence-agents", paramLabel = "DIR[:DIR...]",
      description = "Where fence agents are looked up by name ('ferry host set'). Default /usr/sbin.")
  @Nullable
  String fenceAgents;

  private CoordinatorMain() {
    super(CoordinatorConfig.NAMES);
  }

  public static void main(String[] arguments) {
    System.setProperty("logback.configurationFile",
        System.getProperty("logback.configurationFile", "ferry-server-logback.xml"));
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
    System.exit(new CoordinatorMain().run(arguments));
  }

  @Override
  protected RunningServer start(Settings settings, String version) throws Exception {
    return new Coordinator(CoordinatorConfig.from(settings), version);
  }
}
