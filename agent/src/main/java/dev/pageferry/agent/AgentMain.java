package dev.pageferry.agent;

import dev.pageferry.common.config.Settings;
import dev.pageferry.common.server.RunningServer;
import dev.pageferry.common.server.ServerProgram;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.bridge.SLF4JBridgeHandler;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The {@code ferry-agent} program. */
@Command(name = "ferry-agent", sortOptions = false,
    description = "Runs virtual machines on this host, and moves them to and from others.%n",
    footer = {"", "Each option may also stand in the file given by --config (YAML, names without dashes) or in an",
        "environment variable: --migration-listen is FERRY_MIGRATION_LISTEN. Port 0 means any free port."})
public final class AgentMain extends ServerProgram {
  @Option(names = "--host-id", paramLabel = "NAME",
      description = "This host's name in the cluster. Default: the machine's, up to its first dot.")
  @Nullable
  String hostId;
  @Option(names = "--coordinator", paramLabel = "HOST:PORT",
      description = "The coordinator's gRPC address. Default 127.0.0.1:7400.")
  @Nullable
  String coordinator;
  @Option(names = "--listen", paramLabel = "HOST:PORT",
      description = "gRPC, for the coordinator. Default 127.0.0.1:7410.")
  @Nullable
  String listen;
  @Option(names = "--migration-listen", paramLabel = "HOST:PORT",
      description = "TCP, for other agents. Default 127.0.0.1:7420.")
  @Nullable
  String migrationListen;
  @Option(names = "--http", paramLabel = "HOST:PORT", description = "Metrics and health. Default 127.0.0.1:7430.")
  @Nullable
  String http;
  @Option(names = "--memory", paramLabel = "SIZE", description = "Memory that guests may have, such as 8GiB. Required.")
  @Nullable
  String memory;
  @Option(names = "--advertise", paramLabel = "ADDRESS",
      description = "What others are told when listening on 0.0.0.0 or [::].")
  @Nullable
  String advertise;
  @Option(names = "--congestion-control", paramLabel = "NAME",
      description = "TCP congestion control of outgoing pages, such as cubic or bbr; system%n"
          + "leaves it to the kernel. Default cubic.")
  @Nullable
  String congestionControl;
  @Option(names = "--rehearse", paramLabel = "true|false",
      description = "Whether to move a few tiny guests from this host to itself at start, so that%n"
          + "the first real move finds warm code. Default true.")
  @Nullable
  String rehearse;
  @Option(names = "--storage", paramLabel = "DIR",
      description = "Directory that all hosts mount: disks, leases, saved states. Without it%n"
          + "guests of this host have no disks.")
  @Nullable
  String storage;
  @Option(names = "--vxlan-listen", paramLabel = "HOST:PORT",
      description = "VXLAN (UDP), the network of guests; all hosts of a cluster the same port where%n"
          + "Linux hosts are to join. Default: the address of --migration-listen, port 7440%n"
          + "or a free one.")
  @Nullable
  String vxlanListen;
  @Option(names = "--uplink", paramLabel = "INTERFACE[@VNI]",
      description = "Puts one network of guests (default 1) onto a real interface, in place of%n"
          + "VXLAN; all hosts the same network. Needs CAP_NET_RAW.")
  @Nullable
  String uplink;
  @Option(names = "--run-dir", paramLabel = "DIR",
      description = "Local directory for this host's lock, by which a restarted agent proves that%n"
          + "the one before has ended; made if it is missing. Default: /run/pageferry for root,%n"
          + "else $XDG_RUNTIME_DIR/pageferry or pageferry-UID among temporary files.")
  @Nullable
  String runDir;
  @Option(names = "--qemu", paramLabel = "FILE",
      description = "The program that machines of QEMU run in. Default qemu-system-x86_64.")
  @Nullable
  String qemu;
  @Option(names = "--allow-path", paramLabel = "DIR[:DIR…]",
      description = "Directories with files that operators may name for guests: kernels, images of%nmemory, raw files and devices that are passed through; a single file or%ndevice, too. Default: none.")
  @Nullable
  String allowPath;
  @Option(names = "--allow-qemu-arg", paramLabel = "OPTION[,OPTION…]",
      description = "Options of QEMU, without their dash, that operators may add to machines with%n'ferry vm create --qemu-arg'. Default: none.")
  @Nullable
  String allowQemuArg;
  @Option(names = "--ram-dir", paramLabel = "DIR",
      description = "A tmpfs, for the memory of machines of QEMU. Default /dev/shm.")
  @Nullable
  String ramDir;
  @Option(names = "--keep-guests", paramLabel = "TIME",
      description = "How long machines of QEMU wait, stopped, once this agent has ended, such as 60s, for%n"
          + "the next one to take them over. 0: they end with this agent. Default 60s.")
  @Nullable
  String keepGuests;
  @Option(names = "--written-pages", paramLabel = "auto|kernel|stream",
      description = "Who tells which pages of a machine of QEMU are written while it moves: the kernel,%n"
          + "where it can, or QEMU, in its stream. Default auto: the kernel, but not under KVM.")
  @Nullable
  String writtenPages;
  @Option(names = "--join-token-file", paramLabel = "FILE",
      description = "With a token of 'ferry host admit --token', by which this host is taken into the%n"
          + "cluster. Of no use once it was.")
  @Nullable
  String joinTokenFile;
  @Option(names = "--failpoint-dir", paramLabel = "DIR", hidden = true)
  @Nullable
  String failpointDir;

  private AgentMain() {
    super(AgentConfig.NAMES);
  }

  public static void main(String[] arguments) {
    System.setProperty("logback.configurationFile",
        System.getProperty("logback.configurationFile", "ferry-server-logback.xml"));
    SLF4JBridgeHandler.removeHandlersForRootLogger();
    SLF4JBridgeHandler.install();
    System.exit(new AgentMain().run(arguments));
  }

  @Override
  protected List<String> flagsOnly() {
    return List.of("failpoint-dir");
  }

  @Override
  protected Duration longestClose() {
    return Agent.LONGEST_CLOSE;
  }

  @Override
  protected RunningServer start(Settings settings, String version) throws Exception {
    AgentConfig config = AgentConfig.from(settings);
    config.requireStorage();
    return new Agent(config, version);
  }
}
