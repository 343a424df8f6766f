package dev.pageferry.common.manual;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** A page of the manual (man(7)) that says what {@code --help} of a command says. */
public final class ManualPage {
  private ManualPage() {
  }

  /** Of a command, such as {@code ferry-vm-create}. */
  public static String nameOf(CommandLine command) {
    return command.getCommandSpec().qualifiedName("-");
  }

  /**
   * Its text.
   *
   * @param section of the manual: 1 for commands, 8 for servers
   * @param version of the program
   */
  public static String of(CommandLine command, int section, String version) {
    String name = nameOf(command);
    CommandSpec spec = command.getCommandSpec();
    String description = String.join(" ", spec.usageMessage().description());
    StringBuilder page = new StringBuilder();
    page.append(
        ".TH \"%s\" %d \"\" \"Pageferry %s\" \"Pageferry\"%n".formatted(name.toUpperCase(Locale.ROOT), section,
            version));
    section(page, "NAME", escaped(name) + " \\- " + escaped(description));
    section(page, "SYNOPSIS", escaped(command.getHelp().synopsis(0).strip().replaceAll("\\s+", " ")));
    section(page, "DESCRIPTION", escaped(description));
    section(page, "ARGUMENTS", items(spec.positionalParameters().stream().filter(each -> !each.hidden()),
        ArgSpec::paramLabel));
    section(page, "OPTIONS", items(spec.options().stream().filter(each -> !each.hidden())
        .sorted((a, b) -> Integer.compare(a.order(), b.order())), ManualPage::option));
    section(page, "COMMANDS", command.getSubcommands().values().stream().map(ManualPage::item)
        .collect(Collectors.joining()));
    section(page, "NOTES", Arrays.stream(spec.usageMessage().footer()).filter(line -> !line.isEmpty())
        .map(line -> escaped(line) + "\n.br\n").collect(Collectors.joining()));
    section(page, "SEE ALSO", others(command));
    return page.toString();
  }

  private static String others(CommandLine command) {
    List<CommandLine> others = Stream.concat(Stream.ofNullable(command.getParent()),
        command.getSubcommands().values().stream()).toList();
    return others.stream().map(each -> "\\fB%s\\fR(1)".formatted(escaped(nameOf(each))))
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
    String line = text.replace("%n", " ").replaceAll("\\R", " ").replace("\\", "\\e").replace("-", "\\-");
    return line.startsWith(".") || line.startsWith("'") ? "\\&" + line : line;
  }
}
