package dev.pageferry.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.ferry.command.VmCreate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;

/** What pages say of files, of each other and of the code, as far as a machine can tell. */
class DocumentationTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Pattern FENCED = Pattern.compile("(?ms)^\\s*```.*?^\\s*```");
  private static final Pattern LINK = Pattern.compile("\\[[^\\]]*]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ +(.*)$");
  private static final Pattern FAILPOINT = Pattern.compile("failpoints(?:\\(\\))?\\.at\\(\\s*\"([^\"]+)\"");
  private static final Pattern FAILPOINT_NAME = Pattern
      .compile("`((?:source|destination|create|save|restore)\\.[a-z.-]+)`");

  private static final Pattern PROGRAM_ROW = Pattern.compile("(?m)^\\| `([a-z]+)` \\|");

  private static List<Path> pages() throws IOException {
    List<Path> pages = new ArrayList<>();
    for (Path directory : List.of(ROOT, ROOT.resolve("docs"), ROOT.resolve("docs/decisions"),
        ROOT.resolve("docs/model"))) {
      try (Stream<Path> files = Files.list(directory)) {
        files.filter(each -> each.toString().endsWith(".md")).forEach(pages::add);
      }
    }
    return pages;
  }

  private static String textOf(Path page) throws IOException {
    return FENCED.matcher(Files.readString(page)).replaceAll("");
  }

  /** As GitHub makes them: small letters, no punctuation, hyphens for blanks. */
  private static Set<String> anchorsOf(Path page) throws IOException {
    return HEADING.matcher(textOf(page)).results()
        .map(each -> each.group(1).strip().toLowerCase(Locale.ROOT).replaceAll("[^\\w\\- ]", "").replace(' ', '-'))
        .collect(Collectors.toSet());
  }

  @Test
  void linksBetweenPagesLeadToFilesAndHeadingsThatAreThere() throws Exception {
    List<String> broken = new ArrayList<>();
    int checked = 0;
    for (Path page : pages()) {
      for (MatchResult link : LINK.matcher(textOf(page)).results().toList()) {
        String target = link.group(1);
        if (target.contains("://") || target.startsWith("mailto:")) {
          continue;
        }
        checked++;
        String[] parts = target.split("#", 2);
        Path file = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
        boolean hasHeading = parts.length == 1 || Files.isRegularFile(file) && anchorsOf(file).contains(parts[1]);
        if (!Files.exists(file) || !hasHeading) {
          broken.add("%s: %s".formatted(ROOT.relativize(page), target));
        }
      }
    }
    assertThat(broken).isEmpty();
    assertThat(checked).isGreaterThan(40);
  }

  @Test
  void theTestCommandOfTheReadmeIsTheOneThatContinuousIntegrationRuns() throws Exception {
    assertThat(Files.readString(ROOT.resolve("README.md"))).containsPattern("(?m)^mvn -B verify\\b.*runs all tests");
    assertThat(Files.readAllLines(ROOT.resolve(".ci/run"))).contains("mvn -B verify");
  }

  @Test
  void theTableOfFailpointsNamesEachOneThatTheAgentHas() throws Exception {
    Set<String> inCode = new TreeSet<>();
    try (Stream<Path> files = Files.walk(ROOT.resolve("agent/src/main/java"))) {
      for (Path each : files.filter(file -> file.toString().endsWith(".java")).toList()) {
        FAILPOINT.matcher(Files.readString(each)).results().forEach(found -> inCode.add(found.group(1)));
      }
    }
    Set<String> documented = FAILPOINT_NAME.matcher(Files.readString(ROOT.resolve("docs/TESTING.md"))).results()
        .map(each -> each.group(1)).collect(Collectors.toCollection(TreeSet::new));

    assertThat(documented).isEqualTo(inCode);
  }

  @Test
  void thePageOfCommandsAndTheHelpNameEveryGuestProgramWithItsArguments() throws Exception {
    String page = Files.readString(ROOT.resolve("docs/COMMANDS.md"));
    String section = page.substring(page.indexOf("\n## Guest programs\n"));
    String help = String.join(" ", Objects.requireNonNull(VmCreate.class.getAnnotation(Command.class)).footer());

    assertThat(PROGRAM_ROW.matcher(section).results().map(each -> each.group(1)))
        .containsExactlyElementsOf(ProgramSpec.offered().keySet());
    ProgramSpec.offered().forEach((program, arguments) -> {
      assertThat(help).containsPattern("\\b" + program + "\\b");
      for (String each : arguments) {
        assertThat(section).contains("`" + each + "`");
        assertThat(help).containsPattern("\\b" + each + "\\b");
      }
    });
  }
}
