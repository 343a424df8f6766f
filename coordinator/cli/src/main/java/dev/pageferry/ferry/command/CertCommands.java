package dev.pageferry.ferry.command;

import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.PemFiles;
import dev.pageferry.common.tls.Role;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Membership;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.CertificateText;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry cert}: asks no coordinator. */
@Command(name = "cert", description = "A small certificate authority, for clusters that have no other.", footer = {"",
    "It works on files alone and asks no coordinator. The key of the authority, ca.key, is to be kept away from hosts."})
public final class CertCommands extends CommandGroup {
  private final Session.Opener ferry;

  public CertCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "host", sortOptions = false, description = "Certifies hosts, by their --host-id.")
  int host(@Parameters(paramLabel = "NAME", arity = "1..*", description = "The ids of the hosts.") List<String> names,
      @Mixin CertOptions options) {
    return certify(Role.HOST, names, options);
  }

  @Command(name = "coordinator", sortOptions = false, description = "Certifies coordinators.")
  int coordinator(
      @Parameters(paramLabel = "NAME", arity = "1..*", description = "Names for coordinators.") List<String> names,
      @Mixin CertOptions options) {
    return certify(Role.COORDINATOR, names, options);
  }

  @Command(name = "operator", sortOptions = false, description = "Certifies people who may do everything.")
  int operator(@Parameters(paramLabel = "NAME", arity = "1..*", description = "Their names.") List<String> names,
      @Mixin CertOptions options) {
    return certify(Role.OPERATOR, names, options);
  }

  @Command(name = "viewer", sortOptions = false, description = "Certifies people who may look, and change nothing.")
  int viewer(@Parameters(paramLabel = "NAME", arity = "1..*", description = "Their names.") List<String> names,
      @Mixin CertOptions options) {
    return certify(Role.VIEWER, names, options);
  }

  @Command(name = "metrics", sortOptions = false, description = "Certifies programs that read metrics.")
  int metrics(@Parameters(paramLabel = "NAME", arity = "1..*", description = "Their names.") List<String> names,
      @Mixin CertOptions options) {
    return certify(Role.METRICS, names, options);
  }

  private int certify(Role role, List<String> names, CertOptions options) {
    return ferry.locally(session -> {
      Certification certification = options.open(session);
      Set<Member> members = new LinkedHashSet<>();
      names.forEach(each -> members.add(certification.member(role, each)));
      certification.certify(members);
      return ExitCode.DONE;
    });
  }

  @Command(name = "renew", sortOptions = false, description = "Certifies members anew, each with a new key.",
      footer = {"", "Copy the new files to where the old ones are: programs that run read them again by themselves."})
  int renew(
      @Parameters(paramLabel = "ROLE/NAME", arity = "0..*",
          description = "Such as host/host-a (default: all whose certificates end within 30 days).") @Nullable List<String> names,
      @Option(names = "--within", paramLabel = "DAYS", converter = Converters.Days.class, order = 79,
          description = "All whose certificates end within that time (default 30).") @Nullable Duration within,
      @Mixin CertOptions options) {
    List<String> wanted = Objects.requireNonNullElse(names, List.of());
    return ferry.locally(session -> {
      if (wanted.isEmpty()) {
        options.open(session).renewWithin(Objects.requireNonNullElse(within, Membership.RENEW_BEFORE));
        return ExitCode.DONE;
      }
      if (within != null) {
        throw new Failure(ExitCode.USAGE, "--within is for all members; leave it out, or the names");
      }
      Certification certification = options.open(session);
      Set<Member> members = new LinkedHashSet<>();
      wanted.forEach(each -> members.add(member(certification, each)));
      certification.renew(members);
      return ExitCode.DONE;
    });
  }

  private static Member member(Certification certification, String text) {
    int slash = text.indexOf('/');
    Role role = Role.of(text.substring(0, Math.max(slash, 0))).orElseThrow(() -> new Failure(ExitCode.USAGE,
        "'%s' is not ROLE/NAME, such as host/host-a; roles are host, coordinator, operator, viewer, metrics"
            .formatted(text)));
    return certification.member(role, text.substring(slash + 1));
  }

  @Command(name = "show", description = "Whom certificates name, and how long they are valid.")
  int show(@Parameters(paramLabel = "FILE", arity = "1..*",
      description = "Files with certificates, PEM.") List<Path> files) {
    return ferry.locally(session -> {
      List<CertificateText.Entry> entries = new ArrayList<>();
      for (Path each : files) {
        certificates(each).forEach(found -> entries.add(Certification.entry(found, each, null, null)));
      }
      CertificateText.seen(session.output(), entries, session.surroundings().clock().instant());
      return ExitCode.DONE;
    });
  }

  private static List<X509Certificate> certificates(Path file) {
    try {
      return PemFiles.certificates(file);
    } catch (IOException e) {
      throw new Failure(Files.exists(file) ? ExitCode.USAGE : ExitCode.NOT_FOUND, String.valueOf(e.getMessage()), e);
    }
  }
}
