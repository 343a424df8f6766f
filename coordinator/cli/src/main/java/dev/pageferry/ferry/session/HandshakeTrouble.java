package dev.pageferry.ferry.session;

import dev.pageferry.common.tls.MemberFiles;
import io.grpc.Status;
import io.netty.handler.ssl.NotSslRecordException;
import java.io.IOException;
import java.net.ConnectException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Connections that did not come about because of TLS, or for want of it. Nothing was sent over them. */
final class HandshakeTrouble {
  /** The JDK's word and BoringSSL's for what the other side says before it ends a connection. */
  private static final Pattern ALERT = Pattern.compile("(?i)received fatal alert: (\\w+)|alert[_ ]((?:\\w+[_ ]?)+)");
  /** The head of an alert of TLS, where a frame of HTTP/2 should be (RFC 8446, 5.1). */
  private static final String ALERT_RECORD = "first 5 bytes: 1503";
  /** gRPC's word where a connection ends without an error. */
  private static final String CLOSED = "Network closed for unknown reason";
  private static final Pattern RESET = Pattern.compile("(?i)connection reset|broken pipe");
  /** The JDK's words where an authority is not known; the last two where it is another of the same name. */
  private static final Pattern UNTRUSTED = Pattern
      .compile("unable to find valid certification path|any of the trust anchors|signature check failed");
  private static final int MAX_CAUSES = 10;

  private HandshakeTrouble() {
  }

  /** What is wrong, and what to do; empty: it is not the handshake. */
  static Optional<String> line(Status status, Coordinator coordinator) {
    return coordinator.membership().map(each -> overTls(status, coordinator, each.files()))
        .orElseGet(() -> inPlain(status, coordinator));
  }

  private static Optional<String> inPlain(Status status, Coordinator coordinator) {
    boolean isTls = hasCause(status, each -> String.valueOf(each.getMessage()).contains(ALERT_RECORD))
        || (isEndedWithoutAWord(status) && TlsProbe.speaksTls(coordinator.address()));
    return isTls
        ? Optional.of(
            "the coordinator at %s speaks TLS; give --tls-cert, --tls-key and --tls-ca, or name a context; see 'ferry context --help'"
                .formatted(coordinator))
        : Optional.empty();
  }

  /** What comes where the other side closes a connection that it does not understand, or whose certificate it does not want. */
  private static boolean isEndedWithoutAWord(Status status) {
    return status.getCode() == Status.Code.UNAVAILABLE
        && (CLOSED.equals(status.getDescription()) || hasCause(status, each -> each instanceof IOException
            && !(each instanceof ConnectException) && RESET.matcher(String.valueOf(each.getMessage())).find()));
  }

  private static boolean hasCause(Status status, Predicate<Throwable> wanted) {
    return Stream.iterate(status.getCause(), Objects::nonNull, Throwable::getCause).limit(MAX_CAUSES)
        .flatMap(Stream::ofNullable).anyMatch(wanted);
  }

  private static Optional<String> overTls(Status status, Coordinator coordinator, MemberFiles files) {
    @Nullable
    CertificateException refused = null;
    @Nullable
    SSLException broken = null;
    Throwable each = status.getCause();
    for (int i = 0; each != null && i < MAX_CAUSES; i++, each = each.getCause()) {
      if (each instanceof NotSslRecordException) {
        return Optional.of(
            "what listens at %s does not speak TLS; leave out --tls-cert, --tls-key and --tls-ca, or name the coordinator's --listen address"
                .formatted(coordinator));
      }
      refused = each instanceof CertificateException certificate ? certificate : refused;
      broken = each instanceof SSLException ssl ? ssl : broken;
    }
    if (refused != null) {
      return Optional.of("the certificate of the coordinator at %s is not accepted: %s".formatted(coordinator,
          why(refused, files)));
    }
    if (broken == null && isEndedWithoutAWord(status)) {
      return Optional.of(
          "the coordinator at %s ended the connection without a word; it may have stopped, or not accept the certificate %s; its log says more"
              .formatted(coordinator, files.certificate()));
    }
    return Optional.ofNullable(broken).map(problem -> alert(problem, coordinator, files));
  }

  private static String why(CertificateException refused, MemberFiles files) {
    String message = String.valueOf(refused.getMessage());
    return switch (refused) {
      case CertificateExpiredException _ -> "it has expired (%s), or the clock here is wrong".formatted(message);
      case CertificateNotYetValidException _ -> "it is not valid yet (%s), or the clock here is wrong"
          .formatted(message);
      default -> UNTRUSTED.matcher(message).find()
          ? "no authority in %s has given it; use the --tls-ca of that cluster".formatted(files.authorities())
          : message;
    };
  }

  private static String alert(SSLException broken, Coordinator coordinator, MemberFiles files) {
    String message = String.valueOf(broken.getMessage());
    Matcher alert = ALERT.matcher(message);
    return alert.find()
        ? "the coordinator at %s does not accept the certificate %s: %s; its log says more".formatted(coordinator,
            files.certificate(), meaning(alert))
        : "TLS with the coordinator at %s failed: %s".formatted(coordinator, message);
  }

  private static String meaning(Matcher alert) {
    String name = String.valueOf(alert.group(1) == null ? alert.group(2) : alert.group(1)).strip().replace(' ', '_');
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "unknown_ca" -> "it knows no authority that has given it (unknown_ca)";
      case "certificate_expired" -> "it has expired (certificate_expired)";
      default -> name;
    };
  }
}
