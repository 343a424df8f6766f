package dev.pageferry.ferry;

import dev.pageferry.ferry.command.AuditCommand;
import dev.pageferry.ferry.command.BackupCommand;
import dev.pageferry.ferry.command.CertCommands;
import dev.pageferry.ferry.command.CertInit;
import dev.pageferry.ferry.command.CompletionCommand;
import dev.pageferry.ferry.command.ContextCommands;
import dev.pageferry.ferry.command.DiskCommands;
import dev.pageferry.ferry.command.EventsCommand;
import dev.pageferry.ferry.command.HaCommands;
import dev.pageferry.ferry.command.HostActivate;
import dev.pageferry.ferry.command.HostCommands;
import dev.pageferry.ferry.command.HostConfirmDead;
import dev.pageferry.ferry.command.HostDrain;
import dev.pageferry.ferry.command.HostSet;
import dev.pageferry.ferry.command.MigrateCommands;
import dev.pageferry.ferry.command.MigrateLive;
import dev.pageferry.ferry.command.MigrateQuick;
import dev.pageferry.ferry.command.MigrationCommands;
import dev.pageferry.ferry.command.OperatorCommands;
import dev.pageferry.ferry.command.PlanCommands;
import dev.pageferry.ferry.command.RebalanceCommand;
import dev.pageferry.ferry.command.RecordsCommands;
import dev.pageferry.ferry.command.RestoreCommand;
import dev.pageferry.ferry.command.ValidateCommand;
import dev.pageferry.ferry.command.VersionCommand;
import dev.pageferry.ferry.command.VmCommands;
import dev.pageferry.ferry.command.VmConsole;
import dev.pageferry.ferry.command.VmCreate;
import dev.pageferry.ferry.command.VmPingCommand;
import dev.pageferry.ferry.command.VmPlace;
import dev.pageferry.ferry.command.VmSave;
import dev.pageferry.ferry.command.VmSet;
import dev.pageferry.ferry.command.VmStart;
import dev.pageferry.ferry.command.VmVerify;
import dev.pageferry.ferry.command.VtepCommands;
import dev.pageferry.ferry.command.WhoAmICommand;
import dev.pageferry.ferry.session.Session;
import java.util.List;
import java.util.function.Predicate;
import picocli.CommandLine;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;

/**
 * The sub-commands. picocli reads the annotations of every command that it is given, which takes longer than most commands
 * run. So a command line is first tried with the groups that it names; with all of them only for help, and where it is wrong.
 */
final class CommandTree {
  private static final String COMPLETION = "completion";
  /** In the order of the help. */
  private static final List<String> GROUPS = List.of("host", "vm", "disk", "vtep", "migrate", "migration", "plan",
      "rebalance", "ha", "events",
      "records",
      "backup", "restore", "validate",
      "operator", "audit", "whoami",
      "cert", "context", "version", COMPLETION);

  private CommandTree() {
  }

  /** Runs a command line and gives its exit code. */
  static int execute(Ferry ferry, String... args) {
    List<String> words = List.of(args);
    if (words.contains(COMPLETION)) {
      return whole(ferry).execute(args);
    }
    CommandLine few = tree(ferry, words::contains);
    few.setParameterExceptionHandler((_, all) -> whole(ferry).execute(all));
    few.setExecutionStrategy(parsed -> isAnswerable(parsed)
        ? new RunLast().execute(parsed)
        : whole(ferry).execute(args));
    return few.execute(args);
  }

  /** Help of the root lists all groups; a group has all of its own commands. */
  private static boolean isAnswerable(ParseResult parsed) {
    return parsed.hasSubcommand() || parsed.isVersionHelpRequested();
  }

  static CommandLine whole(Ferry ferry) {
    return tree(ferry, _ -> true);
  }

  private static CommandLine tree(Ferry ferry, Predicate<String> wanted) {
    CommandLine root = new CommandLine(ferry);
    GROUPS.stream().filter(wanted).forEach(group -> root.addSubcommand(group(group, ferry)));
    inheritVersion(root);
    return ferry.configured(root);
  }

  private static CommandLine group(String name, Session.Opener ferry) {
    return switch (name) {
      case "host" -> new CommandLine(new HostCommands(ferry)).addSubcommand(new HostDrain(ferry))
          .addSubcommand(new HostActivate(ferry)).addSubcommand(new HostConfirmDead(ferry))
          .addSubcommand(new HostSet(ferry));
      case "plan" -> new CommandLine(new PlanCommands(ferry));
      case "events" -> new CommandLine(new EventsCommand(ferry));
      case "rebalance" -> new CommandLine(new RebalanceCommand(ferry));
      case "vm" -> new CommandLine(new VmCommands(ferry)).addSubcommand(new VmCreate(ferry))
          .addSubcommand(new VmStart(ferry)).addSubcommand(new VmSave(ferry)).addSubcommand(new VmVerify(ferry))
          .addSubcommand(new VmPingCommand(ferry)).addSubcommand(new VmConsole(ferry))
          .addSubcommand(new VmSet(ferry)).addSubcommand(new VmPlace(ferry));
      case "disk" -> new CommandLine(new DiskCommands(ferry));
      case "backup" -> new CommandLine(new BackupCommand(ferry));
      case "restore" -> new CommandLine(new RestoreCommand(ferry));
      case "validate" -> new CommandLine(new ValidateCommand(ferry));
      case "operator" -> new CommandLine(new OperatorCommands(ferry));
      case "audit" -> new CommandLine(new AuditCommand(ferry));
      case "whoami" -> new CommandLine(new WhoAmICommand(ferry));
      case "vtep" -> new CommandLine(new VtepCommands(ferry));
      case "migrate" -> new CommandLine(new MigrateCommands()).addSubcommand(new MigrateLive(ferry))
          .addSubcommand(new MigrateQuick(ferry));
      case "migration" -> new CommandLine(new MigrationCommands(ferry));
      case "cert" -> new CommandLine(new CertCommands(ferry)).addSubcommand(new CertInit(ferry));
      case "context" -> new CommandLine(new ContextCommands(ferry));
      case "version" -> new CommandLine(new VersionCommand(ferry, Ferry.Version.number()));
      case COMPLETION -> new CommandLine(new CompletionCommand()).setCaseInsensitiveEnumValuesAllowed(true);
      case "ha" -> new CommandLine(new HaCommands(ferry));
      case "records" -> new CommandLine(new RecordsCommands(ferry));
      default -> throw new IllegalArgumentException("no group of commands: " + name);
    };
  }

  /** The option is inherited, but what it prints is not. */
  private static void inheritVersion(CommandLine command) {
    command.getCommandSpec().versionProvider(new Ferry.Version());
    command.getSubcommands().values().forEach(CommandTree::inheritVersion);
  }
}
