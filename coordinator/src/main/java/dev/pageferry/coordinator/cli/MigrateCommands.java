package dev.pageferry.coordinator.cli;

import picocli.CommandLine.Command;

/** {@code ferry migrate}. */
@Command(name = "migrate", description = "Moves a VM to another host.")
final class MigrateCommands extends CommandGroup {
}
