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
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
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
 * What a YAML file says of settings: a mapping of names to single values, and, where a program has such, one of groups: named
 * mappings of names to single values. What is wrong with it is collected, and reported with all other problems of
 * {@link Settings}.
 */
public final class SettingsFile {
  private static final int MAX_BYTES = 1 << 20;

  private final Map<String, String> values = new LinkedHashMap<>();
  private final Map<String, Map<String, String>> groups = new LinkedHashMap<>();
  private final List<String> problems = new ArrayList<>();

  private SettingsFile() {
  }

  /**
   * Groups of settings.
   *
   * @param setting under which they are in the file
   * @param names of settings that each may have
   */
  public record Groups(String setting, Collection<String> names) {
  }

  /** As if there were no file. */
  public static SettingsFile none() {
    return new SettingsFile();
  }

  /** Reads a file that has no groups. */
  static SettingsFile read(Path file, Collection<String> names) {
    return read(file, names, null);
  }

  /** Reads a file. Never fails: what is wrong is a problem of the settings. */
  public static SettingsFile read(Path file, Collection<String> names, @Nullable Groups groups) {
    SettingsFile read = new SettingsFile();
    try {
      // Nodes, and not objects: a value is the text as it was written, where YAML would make "no" a truth value and 010 an
      // eight. Nor does this log, before the program knows how.
      LoaderOptions options = new LoaderOptions();
      @Nullable
      Node document = new Composer(new ParserImpl(new StreamReader(text(file)), options), new Resolver(), options)
          .getSingleNode();
      if (document != null && !isEmpty(document)) {
        read.document(file.toString(), document, names, groups);
      }
    } catch (IOException e) {
      read.problems.add("settings cannot be read from %s: %s".formatted(file, IoFailure.sentence(e)));
    } catch (YAMLException e) {
      read.problems
          .add("%s: not YAML (%s)".formatted(file, String.valueOf(e.getMessage()).lines().findFirst().orElse("")));
    }
    return read;
  }

  /** By name, as they are written. */
  public Map<String, String> values() {
    return Collections.unmodifiableMap(values);
  }

  /** The groups by their names, in their order. */
  public Map<String, Map<String, String>> groups() {
    return Collections.unmodifiableMap(groups);
  }

  /** What is wrong with the file. */
  public List<String> problems() {
    return Collections.unmodifiableList(problems);
  }

  /** The same file with these values for its own. */
  public SettingsFile with(Map<String, String> others) {
    SettingsFile copy = new SettingsFile();
    copy.values.putAll(others);
    copy.groups.putAll(groups);
    copy.problems.addAll(problems);
    return copy;
  }

  private void document(String where, Node document, Collection<String> names, @Nullable Groups wanted) {
    Collection<String> known = wanted == null
        ? names
        : Stream.concat(names.stream(), Stream.of(wanted.setting())).toList();
    mapping(where, document, (key, value) -> {
      if (wanted != null && key.equals(wanted.setting())) {
        if (!isEmpty(value)) {
          mapping("%s: %s".formatted(where, key), value, (name, group) -> group(where, wanted, name, group));
        }
      } else {
        entry(where, known, key, value, values);
      }
    });
  }

  private void group(String where, Groups wanted, String name, Node group) {
    Map<String, String> own = new LinkedHashMap<>();
    groups.put(name, own);
    if (!isEmpty(group)) {
      String place = "%s: %s.%s".formatted(where, wanted.setting(), name);
      mapping(place, group, (key, value) -> entry(place, wanted.names(), key, value, own));
    }
  }

  private void mapping(String where, Node node, BiConsumer<String, Node> reader) {
    if (!(node instanceof MappingNode mapping)) {
      problems.add("%s: not a mapping of settings to values".formatted(where));
      return;
    }
    Set<String> seen = new HashSet<>();
    for (NodeTuple entry : mapping.getValue()) {
      String key = entry.getKeyNode() instanceof ScalarNode name ? name.getValue() : "?";
      if (seen.add(key)) {
        reader.accept(key, entry.getValueNode());
      } else {
        problems.add("%s: '%s' is there twice".formatted(where, key));
      }
    }
  }

  private void entry(String where, Collection<String> names, String key, Node value, Map<String, String> into) {
    if (!names.contains(key)) {
      problems
          .add("%s: unknown setting '%s'; did you mean '%s'?".formatted(where, key, Spelling.nearest(key, names)));
    } else if (value instanceof ScalarNode scalar && !isEmpty(value)) {
      into.put(key, scalar.getValue());
    } else {
      problems.add("%s: '%s' is not a single value".formatted(where, key));
    }
  }

  private static String text(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new IOException("it is larger than %d bytes".formatted(MAX_BYTES));
      }
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    }
  }

  private static boolean isEmpty(Node node) {
    return node instanceof ScalarNode && node.getTag().equals(Tag.NULL);
  }
}
