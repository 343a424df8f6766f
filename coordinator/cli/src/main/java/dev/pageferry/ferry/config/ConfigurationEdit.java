package dev.pageferry.ferry.config;

import java.io.IOException;
import java.io.Reader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.NodeTuple;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.Tag;

/** Changes contexts in the configuration file, and leaves all else in it as it is. The file is there whole, before or after. */
public final class ConfigurationEdit {
  private static final String OWNERS = "rw-------";

  private final Path file;
  private final MappingNode root;

  private ConfigurationEdit(Path file, MappingNode root) {
    this.file = file;
    this.root = root;
  }

  /**
   * Begins with what is in the file, or with nothing where there is none.
   *
   * @throws IOException if it cannot be read, or is no mapping
   */
  public static ConfigurationEdit of(Path file) throws IOException {
    if (!Files.exists(file)) {
      return new ConfigurationEdit(file, mapping());
    }
    // A link stays one: what it leads to is replaced.
    Path real = file.toRealPath();
    try (Reader in = Files.newBufferedReader(real)) {
      LoaderOptions options = new LoaderOptions();
      options.setProcessComments(true);
      @Nullable
      Node document = new Yaml(options).compose(in);
      if (document instanceof MappingNode mapping) {
        mapping.setFlowStyle(DumperOptions.FlowStyle.BLOCK);
        return new ConfigurationEdit(real, mapping);
      }
      if (document == null || document.getTag().equals(Tag.NULL)) {
        return new ConfigurationEdit(real, mapping());
      }
      throw new IOException("%s is no mapping of settings to values".formatted(file));
    } catch (YAMLException e) {
      throw new IOException("%s is not YAML: %s".formatted(file, e.getMessage()), e);
    }
  }

  /** Makes a context the one that counts. */
  public void use(String context) {
    put(root, Configuration.CONTEXT, scalar(context));
  }

  /** Lets no context count. */
  public void useNone() {
    remove(root, Configuration.CONTEXT);
  }

  /** Gives a context settings, beside those that it has; makes it where there is none. */
  public void set(String context, Map<String, String> settings) {
    MappingNode own = child(child(root, Configuration.CONTEXTS), context);
    settings.forEach((name, value) -> put(own, name, scalar(value)));
  }

  public void delete(String context) {
    MappingNode contexts = child(root, Configuration.CONTEXTS);
    remove(contexts, context);
    if (contexts.getValue().isEmpty()) {
      remove(root, Configuration.CONTEXTS);
    }
  }

  /**
   * Writes the file, for its owner's eyes only.
   *
   * @throws IOException if it cannot be written; it is as it was then
   */
  public void write() throws IOException {
    DumperOptions options = new DumperOptions();
    options.setDefaultFlowStyle(DumperOptions.FlowStyle.BLOCK);
    options.setSplitLines(false);
    options.setProcessComments(true);
    StringWriter text = new StringWriter();
    if (!root.getValue().isEmpty()) {
      new Yaml(options).serialize(root, text);
    }
    Path folder = Objects.requireNonNull(file.toAbsolutePath().getParent());
    Files.createDirectories(folder);
    Path whole = Files.createTempFile(folder, ".", ".new",
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(OWNERS)));
    try {
      Files.writeString(whole, text.toString(), StandardCharsets.UTF_8);
      Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(whole);
    }
  }

  private static MappingNode child(MappingNode parent, String key) {
    Optional<Node> value = value(parent, key);
    if (value.isPresent() && value.get() instanceof MappingNode mapping) {
      mapping.setFlowStyle(DumperOptions.FlowStyle.BLOCK);
      return mapping;
    }
    MappingNode made = mapping();
    put(parent, key, made);
    return made;
  }

  private static Optional<Node> value(MappingNode parent, String key) {
    return parent.getValue().stream().filter(each -> isKey(each, key)).map(NodeTuple::getValueNode).findFirst();
  }

  private static boolean isKey(NodeTuple entry, String key) {
    return entry.getKeyNode() instanceof ScalarNode name && name.getValue().equals(key);
  }

  private static void put(MappingNode parent, String key, Node value) {
    List<NodeTuple> entries = new ArrayList<>(parent.getValue());
    for (int i = 0; i < entries.size(); i++) {
      if (isKey(entries.get(i), key)) {
        entries.set(i, new NodeTuple(entries.get(i).getKeyNode(), value));
        parent.setValue(entries);
        return;
      }
    }
    entries.add(new NodeTuple(scalar(key), value));
    parent.setValue(entries);
  }

  private static void remove(MappingNode parent, String key) {
    parent.setValue(parent.getValue().stream().filter(each -> !isKey(each, key)).toList());
  }

  private static MappingNode mapping() {
    return new MappingNode(Tag.MAP, new ArrayList<>(), DumperOptions.FlowStyle.BLOCK);
  }

  private static ScalarNode scalar(String text) {
    return new ScalarNode(Tag.STR, text, null, null, DumperOptions.ScalarStyle.PLAIN);
  }
}
