package dev.pageferry.ferry.command;

import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.ferry.config.Configuration;
import dev.pageferry.ferry.config.ConfigurationEdit;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.ContextText;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ferry context}: asks no coordinator. */
@Command(name = "context",
    description = "Clusters by name: where the coordinator of each is, and your certificate there.",
    footer = {"",
        "A context is chosen with --context NAME, with FERRY_CONTEXT, or for good with 'ferry context use NAME'; an empty",
        "name chooses none. Options and variables for one setting win over the context, and the context over the rest of",
        "the file. Contexts are in the configuration file (--config), which these commands write anew: other settings",
        "stay, comments may be lost.", "",
        "  ferry context set north --coordinator 10.0.0.1:7400 --tls-cert me.crt --tls-key me.key --tls-ca ca.crt"})
public final class ContextCommands extends CommandGroup {
  private static final String NAME = "Name of the context.";

  private final Session.Opener ferry;

  public ContextCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "All contexts; the one that counts has a mark.")
  int list() {
    return ferry.locally(session -> {
      Configuration configuration = session.configuration();
      Optional<String> chosen = chosen(session);
      List<ContextText.Entry> entries = new ArrayList<>();
      configuration.contexts().forEach((name, own) -> entries.add(new ContextText.Entry(name,
          own.getOrDefault(Configuration.COORDINATOR, ""), own.getOrDefault(MemberFiles.SETTINGS.get(0), ""),
          own.getOrDefault(MemberFiles.SETTINGS.get(1), ""), own.getOrDefault(MemberFiles.SETTINGS.get(2), ""),
          chosen.equals(Optional.of(name)))));
      ContextText.list(session.output(), entries);
      chosen.filter(each -> !configuration.contexts().containsKey(each))
          .ifPresent(each -> session.output().message("warning: " + configuration.missing(each)));
      return ExitCode.DONE;
    });
  }

  private static Optional<String> chosen(Session.Local session) {
    return session.configuration().chosen(session.flags(), session.surroundings().environment());
  }

  @Command(name = "use", description = "Makes a context the one that counts.")
  int use(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.locally(session -> {
      edit(session, existing(session, name), edit -> edit.use(name));
      session.output().message("context " + name + " is used from now on");
      warnOfVariable(session, name);
      return ExitCode.DONE;
    });
  }

  private static void warnOfVariable(Session.Local session, String name) {
    String variable = session.surroundings().environment().getOrDefault("FERRY_CONTEXT", name);
    if (!variable.equals(name)) {
      session.output().message("warning: FERRY_CONTEXT is '%s', and wins over it".formatted(variable));
    }
  }

  @Command(name = "set", description = "Makes a context, or changes what is given of one; the first counts at once.",
      footer = {"",
          "What is set is given with the global options --coordinator, --tls-cert, --tls-key and --tls-ca."})
  int set(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.locally(session -> {
      Map<String, String> given = given(session, name);
      Configuration configuration = session.configuration();
      boolean isFirst = configuration.contexts().isEmpty()
          && !configuration.settings().values().containsKey(Configuration.CONTEXT);
      boolean isNew = !configuration.contexts().containsKey(name);
      edit(session, place(session), edit -> {
        edit.set(name, given);
        if (isFirst) {
          edit.use(name);
        }
      });
      session.output().message("context %s %s%s".formatted(name, isNew ? "made" : "changed",
          isFirst ? "; it is used from now on" : isNew ? "; see 'ferry context use'" : ""));
      return ExitCode.DONE;
    });
  }

  /** What the command line says of a context, checked together with what it has. */
  private static Map<String, String> given(Session.Local session, String name) {
    Map<String, String> given = new LinkedHashMap<>();
    try {
      String _ = Names.check("context", name);
      for (String each : Configuration.OF_CONTEXTS) {
        String value = session.flags().get(each);
        if (value != null && each.equals(Configuration.COORDINATOR)) {
          given.put(each, Configuration.coordinator(value).toString());
        } else if (value != null) {
          given.put(each, Path.of(value).toAbsolutePath().normalize().toString());
        }
      }
    } catch (IllegalArgumentException e) {
      throw new Failure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
    }
    if (given.isEmpty()) {
      throw new Failure(ExitCode.USAGE,
          "there is nothing to set; give --coordinator, or --tls-cert, --tls-key and --tls-ca");
    }
    Map<String, String> all = new LinkedHashMap<>(session.configuration().settings().values());
    all.putAll(session.configuration().contexts().getOrDefault(name, Map.of()));
    all.putAll(given);
    long files = MemberFiles.SETTINGS.stream().filter(all::containsKey).count();
    if (files != 0 && files != MemberFiles.SETTINGS.size()) {
      throw new Failure(ExitCode.USAGE, "--tls-cert, --tls-key and --tls-ca are given together or not at all");
    }
    return given;
  }

  @Command(name = "delete", description = "Forgets a context. Certificates and keys stay where they are.")
  int delete(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.locally(session -> {
      boolean isCurrent = name.equals(session.configuration().settings().values().get(Configuration.CONTEXT));
      edit(session, existing(session, name), edit -> {
        edit.delete(name);
        if (isCurrent) {
          edit.useNone();
        }
      });
      session.output().message("context %s deleted%s".formatted(name,
          isCurrent ? "; none is used from now on: see 'ferry context use'" : ""));
      return ExitCode.DONE;
    });
  }

  /** The file that has the context. */
  private static Path existing(Session.Local session, String name) {
    if (!session.configuration().contexts().containsKey(name)) {
      throw new Failure(ExitCode.NOT_FOUND, session.configuration().missing(name));
    }
    return place(session);
  }

  private static Path place(Session.Local session) {
    return session.configuration().place().orElseThrow(() -> new Failure(ExitCode.USAGE,
        "there is no home directory for a configuration file; name one with --config"));
  }

  private static void edit(Session.Local session, Path file, Consumer<ConfigurationEdit> change) {
    try {
      ConfigurationEdit edit = ConfigurationEdit.of(file);
      change.accept(edit);
      edit.write();
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED,
          "%s cannot be changed; %s".formatted(file, IoFailure.sentence(e)), e);
    }
    session.output().detail("written: " + file);
  }
}
