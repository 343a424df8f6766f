package dev.pageferry.common.server;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.Role;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a server knows others by certificates. One that does not answers everybody, and so listens on loopback alone.
 *
 * @param files empty: without certificates
 * @param httpIsPlain whether HTTP goes without TLS all the same
 */
public record ServerSecurity(Optional<MemberFiles> files, boolean httpIsPlain) {
  private static final String HTTP_PLAIN = "http-plain";
  /** The settings that say so. */
  public static final List<String> SETTINGS = settings();

  private static List<String> settings() {
    List<String> settings = new ArrayList<>(MemberFiles.SETTINGS);
    settings.add(HTTP_PLAIN);
    return List.copyOf(settings);
  }

  /**
   * What settings say. An address beyond loopback that would answer everybody is a problem of them.
   *
   * @param listening the addresses of TCP, by their settings; that of HTTP not among them
   */
  public static ServerSecurity from(Settings settings, HostPort http, Map<String, HostPort> listening) {
    Optional<MemberFiles> files = MemberFiles.from(settings);
    boolean httpIsPlain = settings.optional(HTTP_PLAIN, false, Settings::trueOrFalse);
    if (files.isEmpty()) {
      listening.forEach((name, address) -> requireLoopback(settings, name, address));
    }
    if (files.isEmpty() || httpIsPlain) {
      requireLoopback(settings, "http", http);
    }
    return new ServerSecurity(files, httpIsPlain);
  }

  private static void requireLoopback(Settings settings, String name, HostPort address) {
    if (!address.isLoopback()) {
      settings.problem(
          "--%s %s is beyond loopback, and would answer everybody; give --tls-cert, --tls-key and --tls-ca, which 'ferry cert' makes%s"
              .formatted(name, address, name.equals("http") ? ", and no --http-plain" : ""));
    }
  }

  /**
   * Reads the certificate, if there is one, and says so in the log.
   *
   * @param name that it must have; empty: any
   * @throws IOException naming the file that cannot be used, and why
   */
  public Optional<Credentials> open(Role role, Optional<String> name, Scheduler scheduler) throws IOException {
    // Not a constant: this class is needed before settings say how logs are written.
    Logger log = LoggerFactory.getLogger(ServerSecurity.class);
    if (files.isEmpty()) {
      log.warn("without certificates: whoever reaches loopback may do everything; see --tls-cert");
      return Optional.empty();
    }
    Credentials credentials = Credentials.open(files.get(), scheduler);
    Member self = credentials.self();
    if (self.role() != role || name.filter(it -> !it.equals(self.name())).isPresent()) {
      throw new IOException("%s is the certificate of %s; this is %s".formatted(files.get().certificate(), self,
          name.map(it -> role.word() + " " + it).orElse("a " + role.word())));
    }
    log.info("cluster={} member={} certificate valid until {}", self.cluster(), self, credentials.notAfter());
    CertificateAlarm.start(credentials, scheduler);
    return Optional.of(credentials);
  }

  /** By what HTTP is secured; empty: it is plain. */
  public Optional<Credentials> ofHttp(Optional<Credentials> credentials) {
    return httpIsPlain ? Optional.empty() : credentials;
  }
}
