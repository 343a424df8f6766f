package dev.pageferry.ferry.command;

import picocli.CommandLine.Command;

/** {@code ferry migrate}. */
@Command(name = "migrate", description = "Moves a VM to another host.")
public final class MigrateCommands extends CommandGroup {
}
