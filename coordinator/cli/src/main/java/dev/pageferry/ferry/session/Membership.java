package dev.pageferry.ferry.session;

import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.ferry.view.CertificateText;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/** By which certificate the command asks, and whom it takes for the coordinator. */
public final class Membership {
  /** How long before its end a certificate is to be renewed. */
  public static final Duration RENEW_BEFORE = Duration.ofDays(30);

  private final MemberFiles files;
  private final Credentials credentials;
  private final SslContext context;

  private Membership(MemberFiles files, Credentials credentials) {
    this.files = files;
    this.credentials = credentials;
    context = TlsContexts.grpcClient(credentials, PeerCheck.any(Role.COORDINATOR));
  }

  /** @throws Failure naming the file that cannot be used, and why */
  public static Membership open(MemberFiles files, Surroundings surroundings) {
    try {
      Membership membership = new Membership(files, Credentials.open(files, surroundings.ticker()));
      Instant end = membership.credentials.notAfter();
      if (surroundings.clock().instant().isAfter(end)) {
        throw new Failure(ExitCode.UNREACHABLE,
            "the certificate %s has expired on %s; no coordinator takes it; renew it with 'ferry cert renew', or where it came from"
                .formatted(files.certificate(), CertificateText.day(end)));
      }
      return membership;
    } catch (IOException e) {
      throw new Failure(ExitCode.USAGE, "%s; see --tls-cert, --tls-key and --tls-ca in 'ferry --help'"
          .formatted(e.getMessage()), e);
    }
  }

  MemberFiles files() {
    return files;
  }

  SslContext context() {
    return context;
  }

  /** What to tell of a certificate that ends soon; empty: nothing. */
  public Optional<String> warning(Instant now) {
    Instant end = credentials.notAfter();
    return now.plus(RENEW_BEFORE).isBefore(end)
        ? Optional.empty()
        : Optional.of(
            "warning: the certificate %s ends on %s (days left: %d); renew it with 'ferry cert renew', or where it came from"
                .formatted(files.certificate(), CertificateText.day(end), Duration.between(now, end).toDays()));
  }
}
