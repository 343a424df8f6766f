package dev.pageferry.ferry.config;

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

  /** Where settings are read from: {@link #place}, unless that is the one in the home directory and not there. */
  static Optional<Path> find(@Nullable Path option, Map<String, String> environment) {
    return named(option, environment).or(() -> atHome(environment).filter(Files::exists));
  }

  /**
   * Where settings are kept: the file that an option or {@code FERRY_CONFIG} names; else
   * {@code $XDG_CONFIG_HOME/ferry/config.yaml}, or {@code ~/.config/ferry/config.yaml}. Whether it is there or not.
   *
   * @return empty: there is no home directory either
   */
  static Optional<Path> place(@Nullable Path option, Map<String, String> environment) {
    return named(option, environment).or(() -> atHome(environment));
  }

  private static Optional<Path> named(@Nullable Path option, Map<String, String> environment) {
    return Optional.ofNullable(option).or(() -> given(environment, "FERRY_CONFIG").map(Path::of));
  }

  private static Optional<Path> atHome(Map<String, String> environment) {
    return folder(environment).map(folder -> folder.resolve("ferry").resolve("config.yaml"));
  }

  private static Optional<Path> folder(Map<String, String> environment) {
    return Stream.of(given(environment, "XDG_CONFIG_HOME").map(Path::of),
        given(environment, "HOME").map(home -> Path.of(home, ".config"))).flatMap(Optional::stream).findFirst();
  }

  private static Optional<String> given(Map<String, String> environment, String name) {
    return Optional.ofNullable(environment.get(name)).filter(value -> !value.isEmpty());
  }
}
