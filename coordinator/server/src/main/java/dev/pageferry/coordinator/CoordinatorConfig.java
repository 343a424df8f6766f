package dev.pageferry.coordinator;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import java.nio.file.Path;
import java.util.List;

/**
 * How a coordinator is set up.
 *
 * @param listen gRPC, for operators and agents
 * @param http metrics and health
 * @param data where records are kept
 */
record CoordinatorConfig(HostPort listen, HostPort http, Path data) {
  static final List<String> NAMES = List.of("listen", "http", "data");

  /** @throws SettingsException naming all problems */
  static CoordinatorConfig from(Settings settings) throws SettingsException {
    CoordinatorConfig config = new CoordinatorConfig(
        settings.optional("listen", HostPort.parse("127.0.0.1:7400"), HostPort::parse),
        settings.optional("http", HostPort.parse("127.0.0.1:7480"), HostPort::parse),
        settings.required("data", Path.of("."), Path::of));
    settings.check();
    return config;
  }
}
