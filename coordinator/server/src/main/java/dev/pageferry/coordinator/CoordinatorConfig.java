package dev.pageferry.coordinator;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.common.server.ServerSecurity;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * How a coordinator is set up.
 *
 * @param listen gRPC, for operators and agents
 * @param http metrics and health
 * @param data where records are kept
 * @param movesPerHost of planned work, how many may leave a host, or come to it, at the same time
 * @param fenceAgents directories that fence agents are looked up in
 * @param security by what members are known
 */
record CoordinatorConfig(HostPort listen, HostPort http, Path data, int movesPerHost, List<Path> fenceAgents,
    ServerSecurity security) {
  private static final int MOST_MOVES = 16;
  static final List<String> NAMES = List.of("listen", "http", "data", "moves-per-host", "fence-agents");

  /** @throws SettingsException naming all problems */
  static CoordinatorConfig from(Settings settings) throws SettingsException {
    HostPort listen = settings.optional("listen", HostPort.parse("127.0.0.1:7400"), HostPort::parse);
    HostPort http = settings.optional("http", HostPort.parse("127.0.0.1:7480"), HostPort::parse);
    CoordinatorConfig config = new CoordinatorConfig(listen, http, settings.required("data", Path.of("."), Path::of),
        settings.optional("moves-per-host", 1, CoordinatorConfig::moves),
        settings.optional("fence-agents", List.of(Path.of("/usr/sbin")), CoordinatorConfig::directories),
        ServerSecurity.from(settings, http, Map.of("listen", listen)));
    settings.check();
    return config;
  }

  private static List<Path> directories(String text) {
    List<Path> directories = Arrays.stream(text.split(":", -1)).map(Path::of).toList();
    if (!directories.stream().allMatch(Path::isAbsolute)) {
      throw new IllegalArgumentException("'%s' is not a list of absolute paths, separated by ':'".formatted(text));
    }
    return directories;
  }

  private static int moves(String text) {
    int moves = text.matches("[0-9]{1,3}") ? Integer.parseInt(text) : 0;
    if (moves < 1 || moves > MOST_MOVES) {
      throw new IllegalArgumentException("'%s' is not 1 to %d".formatted(text, MOST_MOVES));
    }
    return moves;
  }
}
