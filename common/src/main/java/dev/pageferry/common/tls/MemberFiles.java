package dev.pageferry.common.tls;

import dev.pageferry.common.config.Settings;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The PEM files by which a program is a member of a cluster.
 *
 * @param certificate its certificate, and behind it those between it and the authority, if there are any (RFC 7468)
 * @param key its private key, PKCS #8, not encrypted
 * @param authorities certificates of those that members are certified by
 */
public record MemberFiles(Path certificate, Path key, Path authorities) {
  private static final String CERTIFICATE = "tls-cert";
  private static final String KEY = "tls-key";
  private static final String AUTHORITIES = "tls-ca";
  /** The settings that name them. */
  public static final List<String> SETTINGS = List.of(CERTIFICATE, KEY, AUTHORITIES);

  /** The files that settings name; empty: none. One alone is a problem of the settings. */
  public static Optional<MemberFiles> from(Settings settings) {
    List<Optional<Path>> files = SETTINGS.stream().map(name -> settings.maybe(name, Path::of)).toList();
    if (files.stream().anyMatch(Optional::isEmpty)) {
      if (files.stream().anyMatch(Optional::isPresent)) {
        settings
            .problem("--%s, --%s and --%s are given together or not at all".formatted(CERTIFICATE, KEY, AUTHORITIES));
      }
      return Optional.empty();
    }
    List<Path> paths = files.stream().flatMap(Optional::stream).toList();
    return Optional.of(new MemberFiles(paths.get(0), paths.get(1), paths.get(2)));
  }

  List<Path> all() {
    return Stream.of(certificate, key, authorities).toList();
  }
}
