package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The commands of {@code docs/OPERATIONS.md}: blocks of shell whose first line says where they run. */
public final class OperationsManual {
  private static final Path PAGE = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent())
      .resolve("docs/OPERATIONS.md");
  private static final Pattern PART = Pattern
      .compile("(?m)^## (?<section>.*)$|^```(?<kind>.*)\n(?<body>(?s:.*?))^```$");
  private static final Pattern HEAD = Pattern.compile(
      "# on (?<machines>[a-z-]+(?:, [a-z-]+)*(?: and [a-z-]+)?)(?<nfs>: NFS)?(?:, until (?<until>[a-z -]+ (?:UP|DOWN|MAINTENANCE|RUNNING)))?");

  private OperationsManual() {
  }

  /**
   * Commands that are run as a whole.
   *
   * @param machines where, in any order
   * @param needsNfs whether they set up a mount by NFS
   * @param until what their output is to show, in the page's words, after they were repeated; empty: they run once
   */
  public record Block(String section, List<String> machines, boolean needsNfs, String until, String script) {
  }

  /** All of the page, from top to bottom. */
  public static List<Block> blocks() throws IOException {
    List<Block> blocks = new ArrayList<>();
    String section = "";
    Matcher part = PART.matcher(Files.readString(PAGE));
    while (part.find()) {
      if (part.group("section") != null) {
        section = part.group("section");
      } else if (part.group("kind").equals("sh")) {
        blocks.add(block(section, part.group("body")));
      } else {
        throw new IllegalStateException("a block in '%s' is not sh, so that nothing would run it".formatted(section));
      }
    }
    return blocks;
  }

  private static Block block(String section, String body) {
    String[] lines = body.split("\n", 2);
    Matcher head = HEAD.matcher(lines[0]);
    if (!head.matches()) {
      throw new IllegalStateException("a block in '%s' does not say where it runs: %s".formatted(section, lines[0]));
    }
    return new Block(section, List.of(head.group("machines").split(", | and ")), head.group("nfs") != null,
        Objects.requireNonNullElse(head.group("until"), ""), lines[1]);
  }
}
