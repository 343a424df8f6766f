package dev.pageferry.ferry;

import dev.pageferry.ferry.session.Surroundings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

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
    String name = name(command);
    write("share/man/man1/%s.1".formatted(name), text(command, name));
    for (CommandLine each : command.getSubcommands().values()) {
      page(each);
    }
  }

  private String text(CommandLine command, String name) {
    CommandSpec spec = command.getCommandSpec();
    String description = String.join(" ", spec.usageMessage().description());
    StringBuilder page = new StringBuilder();
    page.append(".TH \"%s\" 1 \"\" \"ferry %s\" \"Pageferry\"%n".formatted(name.toUpperCase(Locale.ROOT), version));
    section(page, "NAME", escaped(name) + " \\- " + escaped(description));
    section(page, "SYNOPSIS", escaped(command.getHelp().synopsis(0).strip().replaceAll("\\s+", " ")));
    section(page, "DESCRIPTION", escaped(description));
    section(page, "ARGUMENTS", items(spec.positionalParameters().stream().filter(each -> !each.hidden()),
        ArgSpec::paramLabel));
    section(page, "OPTIONS", items(spec.options().stream().filter(each -> !each.hidden())
        .sorted((a, b) -> Integer.compare(a.order(), b.order())), Manual::option));
    section(page, "COMMANDS", command.getSubcommands().values().stream().map(Manual::item)
        .collect(Collectors.joining()));
    section(page, "NOTES", Arrays.stream(spec.usageMessage().footer()).filter(line -> !line.isEmpty())
        .map(line -> escaped(line) + "\n.br\n").collect(Collectors.joining()));
    section(page, "SEE ALSO", others(command));
    return page.toString();
  }

  private static String others(CommandLine command) {
    List<CommandLine> others = Stream.concat(Stream.ofNullable(command.getParent()),
        command.getSubcommands().values().stream()).toList();
    return others.stream().map(each -> "\\fB%s\\fR(1)".formatted(escaped(name(each))))
        .collect(Collectors.joining(", "));
  }

  private static <A extends ArgSpec> String items(Stream<A> all, Function<A, String> label) {
    return all.map(each -> entry(label.apply(each), String.join(" ", each.description())))
        .collect(Collectors.joining());
  }

  private static String option(OptionSpec option) {
    String names = String.join(", ", option.names());
    return option.arity().max() == 0 ? names : names + " " + option.paramLabel();
  }

  private static String item(CommandLine command) {
    return entry(command.getCommandName(), String.join(" ", command.getCommandSpec().usageMessage().description()));
  }

  private static String entry(String term, String description) {
    return ".TP\n\\fB%s\\fR\n%s\n".formatted(escaped(term), escaped(description));
  }

  private static void section(StringBuilder page, String title, String body) {
    if (!body.isEmpty()) {
      page.append(".SH ").append(title).append('\n').append(body.stripTrailing()).append('\n');
    }
  }

  /** Text that man(7) takes for text: no escapes, and no line that begins as a request does. */
  private static String escaped(String text) {
    String line = text.replace("%n", " ").replace("\\", "\\e").replace("-", "\\-");
    return line.startsWith(".") || line.startsWith("'") ? "\\&" + line : line;
  }

  private static String name(CommandLine command) {
    return command.getCommandSpec().qualifiedName("-");
  }

  private void write(String file, String text) throws IOException {
    Path path = directory.resolve(file);
    Files.createDirectories(Objects.requireNonNull(path.getParent()));
    Files.writeString(path, text);
  }
}
