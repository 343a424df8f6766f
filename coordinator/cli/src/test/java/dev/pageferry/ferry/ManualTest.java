package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Manual pages and completion scripts of a distribution. */
final class ManualTest {
  private static final Set<String> REQUESTS = Set.of(".TH", ".SH", ".TP", ".br");

  @TempDir
  Path directory;

  @Test
  void everyCommandHasAPageThatManUnderstands() throws IOException {
    Manual.main(new String[]{directory.toString(), "1.2.3"});

    Path pages = directory.resolve("share/man/man1");
    try (Stream<Path> all = Files.list(pages)) {
      List<Path> files = all.toList();
      assertThat(files).extracting(each -> each.getFileName().toString())
          .contains("ferry.1", "ferry-vm.1", "ferry-vm-create.1", "ferry-host-confirm-dead.1", "ferry-migrate-live.1");
      for (Path file : files) {
        assertThat(Files.readAllLines(file)).as(file.toString()).first().asString().startsWith(".TH \"FERRY");
        assertThat(Files.readAllLines(file).stream().filter(line -> line.startsWith(".") || line.startsWith("'"))
            .map(line -> line.split(" ", -1)[0])).as(file.toString()).isSubsetOf(REQUESTS);
      }
    }
    assertThat(Files.readString(pages.resolve("ferry-vm-create.1")))
        .contains("\"Pageferry 1.2.3\"", "\\fB\\-\\-memory SIZE\\fR\nRAM: ", ".SH SEE ALSO\n\\fBferry\\-vm\\fR(1)");
    assertThat(Files.readString(pages.resolve("ferry.1"))).contains("\\fBmigration\\fR\nMigrations ", "Exit codes");
  }

  @Test
  void completionScriptsAreWhereShellsLookForThem() throws IOException {
    Manual.main(new String[]{directory.toString(), "1.2.3"});
    assertThat(directory.resolve("share/bash-completion/completions/ferry")).content().contains("confirm-dead");
    assertThat(directory.resolve("share/zsh/site-functions/_ferry")).content().startsWith("#compdef ferry\n");
  }
}
