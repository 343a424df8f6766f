package dev.pageferry.ferry;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.common.config.SettingsFile;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.ferry.config.Configuration;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.view.Output;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the global options, the variables and the file come to. */
final class GlobalSettings {
  /** Variables with another meaning: those of the start script, and the place of the configuration file. */
  private static final List<String> OTHER_VARIABLES = List.of("config", "opts", "start-cache", "java-home");
  private static final HostPort DEFAULT_COORDINATOR = new HostPort("127.0.0.1", 7400);

  private final Map<String, String> flags;
  private final Map<String, String> environment;
  private final Configuration configuration;

  /** @param flags the global options that were given, by name */
  GlobalSettings(Map<String, String> flags, Map<String, String> environment, Configuration configuration) {
    this.flags = flags;
    this.environment = environment;
    this.configuration = configuration;
  }

  /**
   * How what is said looks.
   *
   * @param plain without colors
   * @param silent without messages
   */
  record Look(Output.Form form, boolean plain, boolean silent) {
  }

  /**
   * Who is asked.
   *
   * @param member the files of a member; empty: the coordinator is asked in plain
   */
  record Way(HostPort coordinator, Optional<MemberFiles> member, Look look) {
  }

  Map<String, String> flags() {
    return flags;
  }

  Configuration configuration() {
    return configuration;
  }

  /** @throws Failure naming every problem, but not what is wrong with the way to a coordinator */
  Look look() {
    Settings settings = settings(configuration.settings(), environment);
    Look look = look(settings);
    check(settings);
    return look;
  }

  /** @throws Failure naming every problem, or that there is no such context */
  Way way() {
    Optional<String> chosen = configuration.chosen(flags, environment);
    Settings settings = settings(chosen.flatMap(configuration::with).orElse(configuration.settings()),
        flags.getOrDefault("context", "").isEmpty() ? environment : withoutCoordinator());
    Way way = new Way(settings.optional("coordinator", DEFAULT_COORDINATOR, Configuration::coordinator),
        MemberFiles.from(settings), look(settings));
    check(settings);
    if (chosen.isPresent() && configuration.with(chosen.get()).isEmpty()) {
      throw new Failure(ExitCode.NOT_FOUND, configuration.missing(chosen.get()));
    }
    return way;
  }

  /** A context that is named on the command line is meant: variables say who else would be asked. */
  private Map<String, String> withoutCoordinator() {
    Map<String, String> others = new HashMap<>(environment);
    others.remove(Settings.variable("coordinator"));
    MemberFiles.SETTINGS.forEach(each -> others.remove(Settings.variable(each)));
    return others;
  }

  private Settings settings(SettingsFile file, Map<String, String> variables) {
    Settings settings = Settings.of(Configuration.NAMES, flags, variables, file);
    settings.refuseMisspelt(environment, Configuration.NAMES, OTHER_VARIABLES);
    return settings;
  }

  private static Look look(Settings settings) {
    return new Look(settings.optional("output", Output.Form.TABLE, Output.Form::parse),
        settings.optional("no-color", false, Settings::trueOrFalse),
        settings.optional("quiet", false, Settings::trueOrFalse));
  }

  private static void check(Settings settings) {
    try {
      settings.check();
    } catch (SettingsException e) {
      String problems = String.join("; ", String.valueOf(e.getMessage()).lines().toList());
      throw new Failure(ExitCode.USAGE, problems + "; see 'ferry --help'", e);
    }
  }
}
