package dev.pageferry.ferry.config;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.SettingsFile;
import dev.pageferry.common.tls.MemberFiles;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What the configuration file says. Relative paths in it are relative to its folder. */
public final class Configuration {
  public static final String CONTEXT = "context";
  public static final String COORDINATOR = "coordinator";
  /** What a context says of a cluster. */
  public static final List<String> OF_CONTEXTS = Stream.concat(Stream.of(COORDINATOR), MemberFiles.SETTINGS.stream())
      .toList();
  /** All settings, in a context or not. */
  public static final List<String> NAMES = Stream
      .concat(Stream.of("output", "no-color", "quiet", CONTEXT), OF_CONTEXTS.stream()).toList();
  static final String CONTEXTS = "contexts";

  private final @Nullable Path place;
  private final SettingsFile file;
  private final Map<String, Map<String, String>> contexts = new LinkedHashMap<>();

  private Configuration(@Nullable Path place, SettingsFile file) {
    this.place = place;
    this.file = file.with(resolved(place, file.values()));
    file.groups().forEach((name, settings) -> contexts.put(name, resolved(place, settings)));
  }

  /**
   * Reads the file, if there is one. What is wrong with it is a problem of the settings.
   *
   * @param option the file that was named on the command line, or null
   * @param isNewOne whether one that is named may be about to be made
   */
  public static Configuration read(@Nullable Path option, Map<String, String> environment, boolean isNewOne) {
    SettingsFile file = ConfigFile.find(option, environment).filter(each -> !isNewOne || Files.exists(each))
        .map(each -> SettingsFile.read(each, NAMES, new SettingsFile.Groups(CONTEXTS, OF_CONTEXTS)))
        .orElseGet(SettingsFile::none);
    return new Configuration(ConfigFile.place(option, environment).orElse(null), file);
  }

  private static Map<String, String> resolved(@Nullable Path place, Map<String, String> settings) {
    Map<String, String> resolved = new LinkedHashMap<>();
    settings.forEach((name, value) -> resolved.put(name, place != null && MemberFiles.SETTINGS.contains(name)
        ? absolute(place, value)
        : value));
    return resolved;
  }

  private static String absolute(Path place, String value) {
    try {
      return place.toAbsolutePath().resolveSibling(value).normalize().toString();
    } catch (InvalidPathException e) {
      // Reported where the setting is used.
      return value;
    }
  }

  /** @throws IllegalArgumentException if the text is no address that a coordinator can be reached at */
  public static HostPort coordinator(String text) {
    HostPort address = HostPort.parse(text);
    if (address.port() == 0) {
      throw new IllegalArgumentException("port 0 in '%s' cannot be reached".formatted(text));
    }
    return address;
  }

  /** Where it is, or would be; empty: nowhere, for want of a home directory. */
  public Optional<Path> place() {
    return Optional.ofNullable(place);
  }

  /** Its settings outside of contexts, and what is wrong with it. */
  public SettingsFile settings() {
    return file;
  }

  /** The settings of each context, by its name. */
  public Map<String, Map<String, String>> contexts() {
    return contexts;
  }

  /**
   * The name of the context that counts: that of a flag, of the variable, of the file. An empty one means that none does.
   *
   * @param flags those given, by name
   */
  public Optional<String> chosen(Map<String, String> flags, Map<String, String> environment) {
    return Stream.of(flags.get(CONTEXT), environment.get("FERRY_CONTEXT"), file.values().get(CONTEXT))
        .flatMap(Stream::ofNullable).findFirst().filter(each -> !each.isEmpty());
  }

  /** The settings of a context, and behind them those outside of contexts; empty: there is no context of that name. */
  public Optional<SettingsFile> with(String context) {
    return Optional.ofNullable(contexts.get(context)).map(own -> {
      Map<String, String> values = new LinkedHashMap<>(file.values());
      values.putAll(own);
      return file.with(values);
    });
  }

  /** Why there is no such context, and what there is. */
  public String missing(String context) {
    return "there is no context '%s'%s; there %s; make one with 'ferry context set'".formatted(context,
        place == null ? "" : " in " + place,
        contexts.isEmpty() ? "are none" : "are: " + String.join(", ", contexts.keySet()));
  }
}
