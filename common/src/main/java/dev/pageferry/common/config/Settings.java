package dev.pageferry.common.config;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The settings of a program. A flag wins over the environment variable {@code FERRY_<NAME>}, which wins over the YAML
 * file, which wins over the default. Problems are collected, so that an operator sees all of them at once.
 */
public final class Settings {
  private static final String PREFIX = "FERRY_";
  private static final int MAX_MISSPELT = 2;

  private final Map<String, String> values = new HashMap<>();
  private final List<String> problems = new ArrayList<>();

  /**
   * Collects settings.
   *
   * @param names the names a program knows, as its flags without the dashes: {@code migration-listen}
   * @param flags the flags given, by name
   * @param file a YAML mapping of names to scalars, or null
   */
  public Settings(Collection<String> names, Map<String, String> flags, Map<String, String> environment,
      @Nullable Path file) {
    this(file == null ? SettingsFile.none() : SettingsFile.read(file, names), names, flags, environment);
  }

  private Settings(SettingsFile file, Collection<String> names, Map<String, String> flags,
      Map<String, String> environment) {
    problems.addAll(file.problems());
    values.putAll(file.values());
    for (String name : names) {
      String variable = environment.get(variable(name));
      if (variable != null) {
        values.put(name, variable);
      }
    }
    values.putAll(flags);
  }

  /** Collects settings with a file that was read before. */
  public static Settings of(Collection<String> names, Map<String, String> flags, Map<String, String> environment,
      SettingsFile file) {
    return new Settings(file, names, flags, environment);
  }

  /** The value of a setting that must be given. The result is meaningful only once {@link #check()} passed. */
  public <T> T required(String name, T placeholder, Function<String, T> parser) {
    if (!values.containsKey(name)) {
      problems.add("--%s is missing".formatted(name));
    }
    return optional(name, placeholder, parser);
  }

  /** The value of a setting, or its default. */
  public <T> T optional(String name, T byDefault, Function<String, T> parser) {
    String text = values.get(name);
    if (text == null) {
      return byDefault;
    }
    try {
      return parser.apply(text);
    } catch (IllegalArgumentException e) {
      problems.add("--%s: %s".formatted(name, e.getMessage()));
      return byDefault;
    }
  }

  /** The value of a setting, if it was given. */
  public <T> Optional<T> maybe(String name, Function<String, T> parser) {
    return optional(name, Optional.<T>empty(), text -> Optional.of(parser.apply(text)));
  }

  /**
   * Adds a problem for each {@code FERRY_*} variable that is nearly a setting: it would be ignored, and its setting be the
   * default. Others are ignored: start scripts, and scripts of operators, use the same prefix.
   *
   * @param others variables with another meaning, written as settings are: {@code java-home}
   */
  public void refuseMisspelt(Map<String, String> environment, Collection<String> names, Collection<String> others) {
    List<String> known = Stream.concat(names.stream(), others.stream()).map(Settings::variable).toList();
    for (String variable : new TreeSet<>(environment.keySet())) {
      String nearest = Spelling.nearest(variable, known);
      if (variable.startsWith(PREFIX) && !known.contains(variable)
          && Spelling.editDistance(variable, nearest) <= MAX_MISSPELT) {
        problems.add("%s is not a setting; did you mean %s?".formatted(variable, nearest));
      }
    }
  }

  /** @throws IllegalArgumentException if the text is neither true nor false */
  public static boolean trueOrFalse(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException("'%s' is neither true nor false".formatted(text));
    };
  }

  /** The environment variable of a setting: {@code FERRY_MIGRATION_LISTEN}. */
  public static String variable(String name) {
    return PREFIX + name.replace('-', '_').toUpperCase(Locale.ROOT);
  }

  /** Adds a problem that concerns several settings. */
  public void problem(String problem) {
    problems.add(problem);
  }

  /** @throws SettingsException naming every problem met so far */
  public void check() throws SettingsException {
    if (!problems.isEmpty()) {
      throw new SettingsException(problems);
    }
  }
}
