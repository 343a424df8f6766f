package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

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
