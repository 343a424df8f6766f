package dev.pageferry.common.server;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.supervision.ServiceManager;
import dev.pageferry.common.supervision.Watchdog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/**
 * A server's main: settings from flags, environment and file, a start, and a clean end, with exit code 0, on SIGTERM or
 * SIGINT.
 */
public abstract class ServerProgram implements Callable<Integer>, IVersionProvider {
  private static final int EXIT_OK = 0;
  private static final int EXIT_FAILED = 1;
  private static final int EXIT_USAGE = 2;
  private static final Duration CLOSING = Duration.ofSeconds(10);
  private static final Duration COMPLAINING = Duration.ofSeconds(1);

  /** Of start scripts, of the command, and for developers. */
  private static final List<String> OTHER_VARIABLES = List.of("java-home", "agent-opts", "coordinator-opts", "opts",
      "start-cache", "config", "context", "output", "no-color", "quiet", "dev-failpoints");

  private static final String LOG_LEVEL = "log-level";
  private static final Set<String> LOG_LEVELS = Set.of("error", "warn", "info", "debug", "trace");
  /** Which the configuration of Logback reads. */
  private static final String LOG_LEVEL_PROPERTY = "ferry.log.level";
  private static final String LOG_FORMAT = "log-format";
  private static final Set<String> LOG_FORMATS = Set.of("text", "json");
  /** The name of the appender, which the configuration of Logback reads. */
  private static final String LOG_FORMAT_PROPERTY = "ferry.log.format";

  private final List<String> names;
  @Spec
  @Nullable
  CommandSpec spec;
  @Option(names = "--config", paramLabel = "FILE", description = "YAML file with any of these settings.")
  @Nullable
  Path config;
  @Option(names = "--" + LOG_FORMAT, paramLabel = "text|json",
      description = "How the log is written: a line of text an event, or a JSON object.%nDefault text.")
  @Nullable
  String logFormat;
  @Option(names = "--" + LOG_LEVEL, paramLabel = "LEVEL",
      description = "What is logged: error, warn, info, debug or trace, each with those before it.%nDefault info.")
  @Nullable
  String logLevel;
  @Option(names = "--tls-cert", paramLabel = "FILE",
      description = "This server's certificate (PEM); with --tls-key and --tls-ca it answers only%n"
          + "members of its cluster. Without, everybody, and it listens on loopback alone.%n"
          + "The three files are read again when they change.")
  @Nullable
  String tlsCert;
  @Option(names = "--tls-key", paramLabel = "FILE", description = "The key that belongs to it (PEM, PKCS #8).")
  @Nullable
  String tlsKey;
  @Option(names = "--tls-ca", paramLabel = "FILE",
      description = "Certificates of those that certify members (PEM).")
  @Nullable
  String tlsCa;
  @Option(names = "--http-plain", paramLabel = "true|false", arity = "0..1", fallbackValue = "true",
      description = "HTTP without TLS, on loopback. Default false where there is a certificate.")
  @Nullable
  String httpPlain;
  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Shows this text.")
  boolean help;
  @Option(names = "--version", versionHelp = true, description = "Shows the version.")
  boolean version;

  /** @param names settings that the program knows, as its options without the dashes */
  protected ServerProgram(List<String> names) {
    this.names = Stream.of(names, ServerSecurity.SETTINGS, List.of(LOG_FORMAT, LOG_LEVEL)).flatMap(List::stream)
        .toList();
  }

  /** Runs the program, or shows its help or its version. @return its exit code */
  public int run(String... arguments) {
    CommandLine line = new CommandLine(this);
    line.getCommandSpec().versionProvider(this);
    return line.execute(arguments);
  }

  /** Starts the server; it runs until closed. Checks the settings first, and logs nothing before this is called. */
  protected abstract RunningServer start(Settings settings, String version) throws Exception;

  /** Settings that no environment variable gives: a service inherits those from whoever starts it. */
  protected List<String> flagsOnly() {
    return List.of();
  }

  /** How long the server's end is waited for; a program whose end has more to do says so. */
  protected Duration longestClose() {
    return CLOSING;
  }

  @Override
  public String[] getVersion() {
    return new String[]{programName() + " " + versionNumber()};
  }

  private String versionNumber() {
    return Optional.ofNullable(getClass().getPackage().getImplementationVersion()).orElse("dev");
  }

  private String programName() {
    return command().name();
  }

  private CommandSpec command() {
    if (spec == null) {
      throw new IllegalStateException("not run as a command");
    }
    return spec;
  }

  @Override
  public Integer call() throws InterruptedException {
    RunningServer server;
    ServiceManager manager = ServiceManager.of(System.getenv(), ProcessHandle.current().pid());
    try {
      Map<String, String> environment = new HashMap<>(System.getenv());
      flagsOnly().forEach(name -> environment.remove(Settings.variable(name)));
      Settings settings = new Settings(names, flags(), environment, config);
      // Before the first logger is made; a value that is none is reported with all other problems.
      System.setProperty(LOG_FORMAT_PROPERTY, settings.optional(LOG_FORMAT, "text", ServerProgram::logFormat));
      System.setProperty(LOG_LEVEL_PROPERTY, settings.optional(LOG_LEVEL, "info", ServerProgram::logLevel));
      settings.refuseMisspelt(System.getenv(), names, OTHER_VARIABLES);
      server = start(settings, versionNumber());
    } catch (SettingsException e) {
      complain(String.valueOf(e.getMessage()));
      return EXIT_USAGE;
    } catch (InterruptedException e) {
      throw e;
    } catch (Exception e) {
      complain(e instanceof IOException || e instanceof UncheckedIOException
          ? IoFailure.sentence(e)
          : Optional.ofNullable(e.getMessage()).orElse(e.toString()));
      return EXIT_FAILED;
    }
    CountDownLatch asked = new CountDownLatch(1);
    EndSignals.await(asked::countDown);
    manager.ready();
    Watchdog.start(manager, server.loops(), Scheduler.SYSTEM);
    asked.await();
    manager.stopping();
    close(server, longestClose(), this::complain);
    return EXIT_OK;
  }

  private static String logFormat(String text) {
    if (!LOG_FORMATS.contains(text)) {
      throw new IllegalArgumentException("'%s' is neither text nor json".formatted(text));
    }
    return text;
  }

  private static String logLevel(String text) {
    String level = text.toLowerCase(Locale.ROOT);
    if (!LOG_LEVELS.contains(level)) {
      throw new IllegalArgumentException("'%s' is none of error, warn, info, debug, trace".formatted(text));
    }
    return level;
  }

  static void close(AutoCloseable server, Duration atMost, Consumer<String> complaints) {
    // A part that hangs while it closes must not keep the process: the rest of the world treats it as gone anyway.
    Thread closing = Thread.ofPlatform().daemon().start(() -> {
      try {
        server.close();
      } catch (Exception e) {
        complaints.accept("could not close cleanly: " + IoFailure.sentence(e));
      }
    });
    try {
      if (!closing.join(atMost)) {
        // Whoever reads complaints may have stopped to read.
        boolean _ = Thread.ofPlatform().daemon()
            .start(() -> complaints.accept("not closed within %d s; the process ends".formatted(atMost.toSeconds())))
            .join(COMPLAINING);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Map<String, String> flags() {
    Map<String, String> flags = new HashMap<>();
    ParseResult parsed = command().commandLine().getParseResult();
    for (OptionSpec option : parsed.matchedOptions()) {
      String name = option.longestName().replaceFirst("^--", "");
      if (names.contains(name)) {
        flags.put(name, option.getValue());
      }
    }
    return flags;
  }

  private void complain(String problems) {
    problems.lines().forEach(line -> command().commandLine().getErr().println(programName() + ": " + line));
    command().commandLine().getErr().flush();
  }
}
