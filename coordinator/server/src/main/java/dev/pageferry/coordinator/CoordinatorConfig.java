package dev.pageferry.coordinator;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.common.server.ServerSecurity;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * How a coordinator is set up.
 *
 * @param listen gRPC, for operators and agents
 * @param http metrics and health
 * @param data where records are kept
 * @param security by what members are known
 */
record CoordinatorConfig(HostPort listen, HostPort http, Path data, ServerSecurity security) {
  static final List<String> NAMES = List.of("listen", "http", "data");

  /** @throws SettingsException naming all problems */
  static CoordinatorConfig from(Settings settings) throws SettingsException {
    HostPort listen = settings.optional("listen", HostPort.parse("127.0.0.1:7400"), HostPort::parse);
    HostPort http = settings.optional("http", HostPort.parse("127.0.0.1:7480"), HostPort::parse);
    CoordinatorConfig config = new CoordinatorConfig(listen, http, settings.required("data", Path.of("."), Path::of),
        ServerSecurity.from(settings, http, Map.of("listen", listen)));
    settings.check();
    return config;
  }
}
