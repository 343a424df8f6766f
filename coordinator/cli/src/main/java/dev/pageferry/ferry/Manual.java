package dev.pageferry.ferry;

import dev.pageferry.common.manual.ManualPage;
import dev.pageferry.ferry.session.Surroundings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import picocli.AutoComplete;
import picocli.CommandLine;

/**
 * Writes manual pages (man(7)), one for each command, and completion scripts, in the places where a distribution has them:
 * {@code share/man/man1}, {@code share/bash-completion/completions}, {@code share/zsh/site-functions}. Run by the build; all of
 * it is what {@code --help} says.
 */
final class Manual {
  private final Path directory;
  private final String version;

  private Manual(Path directory, String version) {
    this.directory = directory;
    this.version = version;
  }

  /** @param args the directory, and the version of the command */
  public static void main(String[] args) throws IOException {
    CommandLine root = CommandTree.whole(Ferry.of(Surroundings.ofProcess()));
    Manual manual = new Manual(Path.of(args[0]), args[1]);
    manual.page(root);
    String completion = AutoComplete.bash("ferry", root);
    manual.write("share/bash-completion/completions/ferry", completion);
    manual.write("share/zsh/site-functions/_ferry", "#compdef ferry\n" + completion);
  }

  private void page(CommandLine command) throws IOException {
    write("share/man/man1/%s.1".formatted(ManualPage.nameOf(command)), ManualPage.of(command, 1, version));
    for (CommandLine each : command.getSubcommands().values()) {
      page(each);
    }
  }

  private void write(String file, String text) throws IOException {
    Path path = directory.resolve(file);
    Files.createDirectories(Objects.requireNonNull(path.getParent()));
    Files.writeString(path, text);
  }
}
