package dev.pageferry.ferry;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Where the command's settings are. */
final class ConfigFile {
  private ConfigFile() {
  }

  /**
   * The file that an option or {@code FERRY_CONFIG} names, whether it is there or not; else
   * {@code $XDG_CONFIG_HOME/ferry/config.yaml}, or {@code ~/.config/ferry/config.yaml}, if there is one.
   */
  static Optional<Path> find(@Nullable Path option, Map<String, String> environment) {
    if (option != null) {
      return Optional.of(option);
    }
    return given(environment, "FERRY_CONFIG").map(Path::of).or(() -> folder(environment)
        .map(folder -> folder.resolve("ferry").resolve("config.yaml")).filter(Files::exists));
  }

  private static Optional<Path> folder(Map<String, String> environment) {
    return Stream.of(given(environment, "XDG_CONFIG_HOME").map(Path::of),
        given(environment, "HOME").map(home -> Path.of(home, ".config"))).flatMap(Optional::stream).findFirst();
  }

  private static Optional<String> given(Map<String, String> environment, String name) {
    return Optional.ofNullable(environment.get(name)).filter(value -> !value.isEmpty());
  }
}
