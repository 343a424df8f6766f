package dev.pageferry.ferry;

import dev.pageferry.ferry.command.Candidates;
import dev.pageferry.ferry.command.CommandGroup;
import dev.pageferry.ferry.command.UsageErrors;
import dev.pageferry.ferry.config.Configuration;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.Coordinator;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Membership;
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
import java.util.Optional;
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
  private static final int MAX_CAUSES = 10;

  private final Surroundings surroundings;

  @Option(names = "--coordinator", paramLabel = "HOST:PORT", scope = ScopeType.INHERIT, order = 100,
      description = "Where the coordinator listens (FERRY_COORDINATOR; default 127.0.0.1:7400).")
  private @Nullable String coordinator;

  @Option(names = "--context", paramLabel = "NAME", scope = ScopeType.INHERIT, order = 100,
      description = "The cluster of that name in the file (FERRY_CONTEXT); see 'ferry context --help'.")
  private @Nullable String context;

  @Option(names = "--tls-cert", paramLabel = "FILE", scope = ScopeType.INHERIT, order = 100,
      description = "Your certificate, PEM (FERRY_TLS_CERT). With it the coordinator is asked over TLS.")
  private @Nullable Path certificate;

  @Option(names = "--tls-key", paramLabel = "FILE", scope = ScopeType.INHERIT, order = 100,
      description = "Its private key, PEM (FERRY_TLS_KEY).")
  private @Nullable Path key;

  @Option(names = "--tls-ca", paramLabel = "FILE", scope = ScopeType.INHERIT, order = 100,
      description = "Certificates of the authorities that certify the cluster's members, PEM (FERRY_TLS_CA).")
  private @Nullable Path authorities;

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
      description = "YAML file with settings and contexts (FERRY_CONFIG; default ~/.config/ferry/config.yaml)."
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
    GlobalSettings.Way way = settings(false).way();
    Output printer = output(way.look());
    Optional<Membership> membership = way.member().map(files -> Membership.open(files, surroundings));
    membership.flatMap(each -> each.warning(surroundings.clock().instant())).ifPresent(printer::message);
    try (Connection connection = new Connection(new Coordinator(way.coordinator(), membership))) {
      return body.applyAsInt(new Session(printer, connection, surroundings));
    }
  }

  @Override
  public int locally(ToIntFunction<Session.Local> body) {
    GlobalSettings settings = settings(true);
    return body.applyAsInt(
        new Session.Local(output(settings.look()), surroundings, settings.configuration(), settings.flags()));
  }

  /** @param isNewOne whether a configuration file that was named may be about to be made */
  private GlobalSettings settings(boolean isNewOne) {
    Map<String, String> flags = new HashMap<>();
    put(flags, "coordinator", coordinator);
    put(flags, "context", context);
    put(flags, "output", output);
    put(flags, "no-color", noColor);
    put(flags, "quiet", quiet);
    put(flags, "tls-cert", certificate);
    put(flags, "tls-key", key);
    put(flags, "tls-ca", authorities);
    return new GlobalSettings(flags, surroundings.environment(),
        Configuration.read(config, surroundings.environment(), isNewOne));
  }

  private Output output(GlobalSettings.Look look) {
    return new Output(surroundings.out(), surroundings.err(), look.form(), new Palette(colorful(look.plain())),
        look.silent(), verbose || debug);
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
