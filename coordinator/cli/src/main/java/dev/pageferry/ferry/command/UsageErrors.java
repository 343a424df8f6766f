package dev.pageferry.ferry.command;

import dev.pageferry.ferry.view.Output;
import java.util.List;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Wrong usage in one line. */
public final class UsageErrors {
  private UsageErrors() {
  }

  public static String line(ParameterException problem) {
    String command = problem.getCommandLine().getCommandSpec().qualifiedName(" ");
    return "%s; see '%s --help'".formatted(what(problem, command), command);
  }

  private static String what(ParameterException problem, String command) {
    if (problem instanceof UnmatchedArgumentException unmatched && !unmatched.getUnmatched().isEmpty()) {
      return unmatched(unmatched, command);
    }
    String message = Output.oneLine(String.valueOf(problem.getMessage()));
    return message.isEmpty() ? "wrong usage" : Character.toLowerCase(message.charAt(0)) + message.substring(1);
  }

  private static String unmatched(UnmatchedArgumentException problem, String command) {
    String argument = problem.getUnmatched().getFirst();
    boolean isGroup = !problem.getCommandLine().getSubcommands().isEmpty();
    String kind = problem.isUnknownOption() ? "unknown option" : isGroup ? "unknown command" : "unexpected argument";
    List<String> suggestions = problem.getSuggestions();
    String why = suggestions.isEmpty()
        ? "'%s' does not take it".formatted(command)
        : "did you mean '%s'?".formatted(suggestions.getFirst());
    return "%s '%s'; %s".formatted(kind, argument, why);
  }
}
