package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/**
 * A command that only leads to others. Called by itself it shows them, and that was wrong usage.
 */
@Command
public abstract class CommandGroup implements Callable<Integer> {
  @Spec
  @SuppressWarnings("NullAway.Init")
  private CommandSpec spec;

  @Override
  public Integer call() {
    CommandLine group = spec.commandLine();
    group.usage(group.getErr());
    return ExitCode.USAGE;
  }
}
