package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;

/** The programs of one version: of this build, or of the version before, which {@code scripts/build-previous} builds. */
public final class Distribution {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());

  /** This build's. */
  public static final Distribution PRESENT = new Distribution("present", "mvn package", Map.of(
      "ferry-agent", ROOT.resolve("agent/target/dist/ferry-agent/bin/ferry-agent"),
      "ferry-coordinator", ROOT.resolve("coordinator/server/target/dist/ferry-coordinator/bin/ferry-coordinator"),
      "ferry", ROOT.resolve("coordinator/cli/target/dist/ferry/bin/ferry")));
  /** The version before. */
  public static final Distribution PREVIOUS = previous(ROOT.resolve("target/previous/bin"));

  /** Options for tests, which the help leaves out and every version has. */
  private static final Set<String> HIDDEN = Set.of("--rehearse", "--failpoint-dir");

  private final String name;
  private final String builtBy;
  private final Map<String, Path> programs;
  /** What {@code --help} says, by program: asked once. */
  private final Map<String, String> help = new ConcurrentHashMap<>();

  private Distribution(String name, String builtBy, Map<String, Path> programs) {
    this.name = name;
    this.builtBy = builtBy;
    this.programs = programs;
  }

  private static Distribution previous(Path directory) {
    return new Distribution("previous", "scripts/build-previous",
        Map.of("ferry-agent", directory.resolve("ferry-agent"), "ferry-coordinator",
            directory.resolve("ferry-coordinator"), "ferry", directory.resolve("ferry")));
  }

  /**
   * Makes an agent of this build that says of itself that it is of another version.
   *
   * @param directory exists
   * @return the folder of its program, for FERRY_PROGRAMS
   */
  public static Path agentThatCallsItself(String version, Path directory) throws IOException {
    Path original = Objects.requireNonNull(PRESENT.program("ferry-agent").getParent());
    Path bin = Files.createDirectories(directory.resolve("bin"));
    Path lib = Files.createDirectories(directory.resolve("lib"));
    for (Path each : files(original)) {
      Files.copy(each, bin.resolve(each.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
    }
    for (Path each : files(original.resolveSibling("lib"))) {
      Path link = lib.resolve(each.getFileName());
      if (each.getFileName().toString().startsWith("agent-")) {
        rename(each, link, version);
      } else {
        Files.createSymbolicLink(link, each);
      }
    }
    return bin;
  }

  private static List<Path> files(Path directory) throws IOException {
    try (Stream<Path> all = Files.list(directory)) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  private static void rename(Path jar, Path copy, String version) throws IOException {
    try (JarFile original = new JarFile(jar.toFile())) {
      Manifest manifest = original.getManifest();
      manifest.getMainAttributes().put(Attributes.Name.IMPLEMENTATION_VERSION, version);
      try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(copy), manifest)) {
        for (JarEntry each : Collections.list(original.entries())) {
          if (!each.getName().equals(JarFile.MANIFEST_NAME)) {
            out.putNextEntry(new JarEntry(each.getName()));
            original.getInputStream(each).transferTo(out);
          }
        }
      }
    }
  }

  /** @param program such as ferry-agent */
  public Path program(String program) {
    Path found = programs.get(program);
    if (found == null || !Files.isExecutable(found)) {
      throw new IllegalStateException("%s of the %s version is not built; run %s first".formatted(program, name,
          builtBy));
    }
    return found;
  }

  /** The options, each with its value, that this version's program has: the version before does not know newer ones. */
  List<String> understood(String program, List<String> arguments) throws IOException, InterruptedException {
    if (this == PRESENT) {
      return arguments;
    }
    String known = help.get(program);
    if (known == null) {
      CommandResult asked = CommandResult.of(List.of(program(program).toString(), "--help"), Map.of());
      known = asked.output() + asked.errors();
      help.put(program, known);
    }
    List<String> understood = new ArrayList<>();
    for (int i = 0; i < arguments.size(); i += 2) {
      if (known.contains(arguments.get(i)) || HIDDEN.contains(arguments.get(i))) {
        understood.addAll(arguments.subList(i, i + 2));
      }
    }
    return understood;
  }

  @Override
  public String toString() {
    return name;
  }
}
