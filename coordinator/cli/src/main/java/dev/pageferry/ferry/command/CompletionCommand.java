package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code ferry completion}: needs no coordinator. */
@Command(name = "completion", description = "Prints a script that completes command lines in a shell.", footer = {"",
    "bash: source <(ferry completion bash)", "zsh:  source <(ferry completion zsh), after compinit"})
public final class CompletionCommand implements Callable<Integer> {
  /** The shells that there is a script for. */
  enum Shell {
    BASH,
    ZSH
  }

  @Spec
  @SuppressWarnings("NullAway.Init")
  private CommandSpec spec;

  @Parameters(paramLabel = "bash|zsh", description = "The shell.")
  @SuppressWarnings("NullAway.Init")
  private Shell shell;

  @Override
  public Integer call() {
    CommandLine root = spec.root().commandLine();
    // The script of picocli serves both: under zsh it loads the completion of bash.
    root.getOut().print(shell == Shell.ZSH ? "#compdef ferry\n" : "");
    root.getOut().println(AutoComplete.bash("ferry", root));
    root.getOut().flush();
    return ExitCode.DONE;
  }
}
