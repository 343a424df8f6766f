package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Session;
import java.nio.file.Path;
import java.time.Duration;
import picocli.CommandLine.Option;

/** Where an authority is, and how long what it certifies is valid. */
final class CertOptions {
  static final String DIRECTORY = "Where the authority and its members' files are (default ./ferry-pki).";
  static final Path DEFAULT_DIRECTORY = Path.of("ferry-pki");
  static final Duration YEAR = Duration.ofDays(365);

  @Option(names = "--dir", paramLabel = "DIR", order = 80, description = DIRECTORY)
  private Path directory = DEFAULT_DIRECTORY;

  @Option(names = "--days", paramLabel = "N", converter = Converters.Days.class, order = 81,
      description = "How long the certificates are valid (default 365); no longer than that of the authority.")
  private Duration valid = YEAR;

  Certification open(Session.Local session) {
    return Certification.open(session, directory, valid);
  }
}
