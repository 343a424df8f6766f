package dev.pageferry.ferry;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.ferry.command.Candidates;
import dev.pageferry.ferry.command.CommandGroup;
import dev.pageferry.ferry.command.UsageErrors;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.session.Surroundings;
import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.Palette;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The {@code ferry} command: its global options, its sub-commands, and what its exit codes say. */
@Command(name = "ferry", description = "Moves running virtual machines between hosts.", sortOptions = false, footer = {
    "", "Exit codes: 0 done, 1 failed (nothing was lost), 2 wrong usage, 3 not found, 4 refused,",
    "5 coordinator unreachable (nothing was sent), 6 in doubt (it may have been done),",
    "7 the VM is down: it was lost with a host that died."})
public final class Ferry extends CommandGroup implements Session.Opener {
  private static final List<String> SETTINGS = List.of("coordinator", "output", "no-color", "quiet");
  /** Variables with another meaning: those of the start script, and the place of the configuration file. */
  private static final List<String> OTHER_VARIABLES = List.of("config", "opts", "start-cache", "java-home");
  private static final int MAX_CAUSES = 10;
  private static final HostPort DEFAULT_COORDINATOR = new HostPort("127.0.0.1", 7400);

  private final Surroundings surroundings;

  @Option(names = "--coordinator", paramLabel = "HOST:PORT", scope = ScopeType.INHERIT, order = 100,
      description = "Where the coordinator listens (FERRY_COORDINATOR; default 127.0.0.1:7400).")
  private @Nullable String coordinator;

  @Option(names = {"-o",
      "--output"}, paramLabel = "table|wide|json|yaml|name", completionCandidates = Candidates.Forms.class,
      scope = ScopeType.INHERIT, order = 101,
      description = "Form of the data (default table): wide has more columns, name the names alone.")
  private @Nullable String output;

  @Option(names = "--no-color", scope = ScopeType.INHERIT, order = 102, description = "No colors on a terminal either.")
  private @Nullable Boolean noColor;

  @Option(names = {"-q",
      "--quiet"}, scope = ScopeType.INHERIT, order = 103,
      description = "Data and errors only; no messages, no progress.")
  private @Nullable Boolean quiet;

  @Option(names = {"-v",
      "--verbose"}, scope = ScopeType.INHERIT, order = 103,
      description = "Details on stderr, such as the id of a request, and what an error came from.")
  private boolean verbose;

  @Option(names = "--debug", scope = ScopeType.INHERIT, order = 103,
      description = "As -v, and where in the program an error came from.")
  private boolean debug;

  @Option(names = "--config", paramLabel = "FILE", scope = ScopeType.INHERIT, order = 104,
      description = "YAML file with coordinator, output, no-color, quiet (FERRY_CONFIG; default ~/.config/ferry/config.yaml)."
          + " Options and FERRY_* variables win over it.")
  private @Nullable Path config;

  @Option(names = {"-h",
      "--help"}, usageHelp = true, scope = ScopeType.INHERIT, order = 105, description = "Show this help.")
  @SuppressWarnings("unused") // Read by the parser.
  private boolean help;

  @Option(names = "--version", versionHelp = true, scope = ScopeType.INHERIT, order = 106,
      description = "Show the version.")
  @SuppressWarnings("unused") // Read by the parser.
  private boolean version;

  private Ferry(Surroundings surroundings) {
    this.surroundings = surroundings;
  }

  public static void main(String[] args) {
    // The platform logs its own exit, and would start the logging of the servers for that: longer than
    // most commands take.
    System.setProperty("slf4j.provider", "org.slf4j.helpers.NOP_FallbackServiceProvider");
    System.setProperty("slf4j.internal.verbosity", "ERROR");
    Surroundings process = Surroundings.ofProcess();
    if (List.of(args).equals(List.of("--version"))) {
      // Programs ask this often; it needs no parser.
      process.out().println(Version.line());
      System.exit(process.out().checkError() ? ExitCode.FAILED : ExitCode.DONE);
    }
    System.exit(run(process, args));
  }

  static Ferry of(Surroundings surroundings) {
    return new Ferry(surroundings);
  }

  /** Runs one command line and gives its exit code. */
  static int run(Surroundings surroundings, String... args) {
    return CommandTree.execute(new Ferry(surroundings), args);
  }

  /** A tree of commands with this program's ways to print and to fail. */
  CommandLine configured(CommandLine root) {
    root.setOut(writer(surroundings.out())).setErr(writer(surroundings.err()));
    root.setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF)).setUsageHelpWidth(100).setExpandAtFiles(false);
    root.setParameterExceptionHandler((problem, _) -> {
      Output.error(surroundings.err(), UsageErrors.line(problem));
      return ExitCode.USAGE;
    });
    root.setExecutionExceptionHandler((problem, _, _) -> failed(problem));
    return root;
  }

  @Override
  public int inSession(ToIntFunction<Session> body) {
    Map<String, String> flags = new HashMap<>();
    put(flags, "coordinator", coordinator);
    put(flags, "output", output);
    put(flags, "no-color", noColor);
    put(flags, "quiet", quiet);
    Settings settings = new Settings(SETTINGS, flags, surroundings.environment(),
        ConfigFile.find(config, surroundings.environment()).orElse(null));
    settings.refuseMisspelt(surroundings.environment(), SETTINGS, OTHER_VARIABLES);
    HostPort address = settings.optional("coordinator", DEFAULT_COORDINATOR, Ferry::reachable);
    Output.Form form = settings.optional("output", Output.Form.TABLE, Output.Form::parse);
    boolean plain = settings.optional("no-color", false, Ferry::trueOrFalse);
    boolean silent = settings.optional("quiet", false, Ferry::trueOrFalse);
    try {
      settings.check();
    } catch (SettingsException e) {
      String problems = String.join("; ", String.valueOf(e.getMessage()).lines().toList());
      throw new Failure(ExitCode.USAGE, problems + "; see 'ferry --help'", e);
    }
    Output printer = new Output(surroundings.out(), surroundings.err(), form, new Palette(colorful(plain)), silent,
        verbose || debug);
    try (Connection connection = new Connection(address)) {
      return body.applyAsInt(new Session(printer, connection, surroundings));
    }
  }

  /** See https://no-color.org: the variable counts when it is there and not empty. */
  private boolean colorful(boolean plain) {
    return !plain && surroundings.environment().getOrDefault("NO_COLOR", "").isEmpty()
        && surroundings.outIsTerminal().getAsBoolean();
  }

  private int failed(Exception problem) {
    explain(problem);
    if (problem instanceof Failure failure) {
      Output.error(surroundings.err(), String.valueOf(failure.getMessage()));
      return failure.exitCode();
    }
    if (problem instanceof UncheckedIOException) {
      Output.error(surroundings.err(),
          String.valueOf(problem.getMessage()) + "; the answer is lost, and what was asked for is not undone");
      return ExitCode.FAILED;
    }
    Output.error(surroundings.err(), "unexpected error; %s; this is a defect, please report it".formatted(problem));
    return ExitCode.FAILED;
  }

  /** Before the error, whose line is to be the last. */
  private void explain(Exception problem) {
    if (debug) {
      problem.printStackTrace(surroundings.err());
    } else if (verbose) {
      Throwable cause = problem.getCause();
      // Bounded: a chain of causes may be a circle.
      for (int i = 0; cause != null && i < MAX_CAUSES; i++) {
        surroundings.err().println("cause: " + Output.oneLine(cause.toString()));
        cause = cause.getCause();
      }
    }
  }

  private static void put(Map<String, String> flags, String name, @Nullable Object value) {
    if (value != null) {
      flags.put(name, value.toString());
    }
  }

  private static HostPort reachable(String text) {
    HostPort address = HostPort.parse(text);
    if (address.port() == 0) {
      throw new IllegalArgumentException("port 0 in '%s' cannot be reached".formatted(text));
    }
    return address;
  }

  private static boolean trueOrFalse(String text) {
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw new IllegalArgumentException("'%s' is neither true nor false".formatted(text));
    };
  }

  private static PrintWriter writer(PrintStream stream) {
    return new PrintWriter(stream, true, StandardCharsets.UTF_8);
  }

  /** The version that the build wrote into the jar. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[]{line()};
    }

    static String line() {
      return "ferry " + number();
    }

    static String number() {
      String version = Ferry.class.getPackage().getImplementationVersion();
      return version == null ? "dev" : version;
    }
  }
}
