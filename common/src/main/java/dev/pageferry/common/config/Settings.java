package dev.pageferry.common.config;

import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.composer.Composer;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.Tag;
import org.yaml.snakeyaml.parser.ParserImpl;
import org.yaml.snakeyaml.reader.StreamReader;
import org.yaml.snakeyaml.resolver.Resolver;

/**
 * The settings of a program. A flag wins over the environment variable {@code FERRY_<NAME>}, which wins over the YAML
 * file, which wins over the default. Problems are collected, so that an operator sees all of them at once.
 */
public final class Settings {
  private static final String PREFIX = "FERRY_";
  private static final int MAX_MISSPELT = 2;
  private static final int MAX_FILE_BYTES = 1 << 20;

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
    if (file != null) {
      readFile(file, names);
    }
    for (String name : names) {
      String variable = environment.get(variable(name));
      if (variable != null) {
        values.put(name, variable);
      }
    }
    values.putAll(flags);
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
      String nearest = nearest(variable, known);
      if (variable.startsWith(PREFIX) && !known.contains(variable)
          && editDistance(variable, nearest) <= MAX_MISSPELT) {
        problems.add("%s is not a setting; did you mean %s?".formatted(variable, nearest));
      }
    }
  }

  private static String variable(String name) {
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

  private void readFile(Path file, Collection<String> names) {
    try {
      // Nodes, and not objects: a value is the text as it was written, where YAML would make "no" a truth value and 010 an
      // eight. Nor does this log, before the program knows how.
      LoaderOptions options = new LoaderOptions();
      @Nullable
      Node document = new Composer(new ParserImpl(new StreamReader(text(file)), options), new Resolver(), options)
          .getSingleNode();
      if (document == null || isEmpty(document)) {
        return;
      }
      if (!(document instanceof MappingNode mapping)) {
        problems.add("%s: not a mapping of settings to values".formatted(file));
        return;
      }
      Set<String> seen = new HashSet<>();
      for (NodeTuple entry : mapping.getValue()) {
        String key = entry.getKeyNode() instanceof ScalarNode name ? name.getValue() : "?";
        if (seen.add(key)) {
          readEntry(file, names, key, entry.getValueNode());
        } else {
          problems.add("%s: '%s' is there twice".formatted(file, key));
        }
      }
    } catch (IOException e) {
      problems.add("settings cannot be read from %s: %s".formatted(file, IoFailure.sentence(e)));
    } catch (YAMLException e) {
      problems.add("%s: not YAML (%s)".formatted(file, String.valueOf(e.getMessage()).lines().findFirst().orElse("")));
    }
  }

  private static String text(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MAX_FILE_BYTES + 1);
      if (bytes.length > MAX_FILE_BYTES) {
        throw new IOException("it is larger than %d bytes".formatted(MAX_FILE_BYTES));
      }
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    }
  }

  private static boolean isEmpty(Node node) {
    return node instanceof ScalarNode && node.getTag().equals(Tag.NULL);
  }

  private void readEntry(Path file, Collection<String> names, String key, Node value) {
    if (!names.contains(key)) {
      problems.add("%s: unknown setting '%s'; did you mean '%s'?".formatted(file, key, nearest(key, names)));
    } else if (value instanceof ScalarNode scalar && !isEmpty(value)) {
      values.put(key, scalar.getValue());
    } else {
      problems.add("%s: '%s' is not a single value".formatted(file, key));
    }
  }

  private static String nearest(String key, Collection<String> names) {
    return names.stream().min(Comparator.comparingInt(name -> editDistance(key, name))).orElse("");
  }

  /** Levenshtein's distance: insertions, deletions and substitutions between two names. */
  private static int editDistance(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int substituted = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[to.length()];
  }
}
