package dev.pageferry.common.tls;

import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * By what this program is a member of its cluster. The files are checked for new connections, at most once a second:
 * a certificate that was renewed is used without a restart, and what is connected stays connected. Files that do not fit each
 * other, as while they are being replaced, change nothing until they do. For all threads.
 */
public final class Credentials {
  private static final Logger log = LoggerFactory.getLogger(Credentials.class);
  private static final long CHECK_INTERVAL_NANOS = Duration.ofSeconds(1).toNanos();
  private static final String PROTOCOL = "TLS";

  private final MemberFiles files;
  private final Ticker ticker;
  private final Object reading = new Object();
  private volatile Held held;
  private volatile long checkedNanos;
  private volatile @Nullable String trouble;
  private final AtomicLong toldNanos;

  /** An identity with its number, and the one before, which handshakes that have just begun still use. */
  record Held(long number, Identity identity, @Nullable Held before, List<Stamp> stamps) {
  }

  /** What a file was when it was read. */
  private record Stamp(@Nullable Object key, long bytes, long modifiedMillis) {
    static Stamp of(Path file) {
      try {
        BasicFileAttributes now = Files.readAttributes(file, BasicFileAttributes.class);
        return new Stamp(now.fileKey(), now.size(), now.lastModifiedTime().toMillis());
      } catch (IOException e) {
        return new Stamp(null, -1, -1);
      }
    }
  }

  private Credentials(MemberFiles files, Ticker ticker) throws IOException {
    this.files = files;
    this.ticker = ticker;
    List<Stamp> stamps = stamps();
    held = new Held(0, Identity.read(files), null, stamps);
    checkedNanos = ticker.nanos();
    toldNanos = new AtomicLong(checkedNanos - CHECK_INTERVAL_NANOS);
  }

  /** @throws IOException naming the file that cannot be used, and why */
  public static Credentials open(MemberFiles files, Ticker ticker) throws IOException {
    return new Credentials(files, ticker);
  }

  /** Who this program is. */
  public Member self() {
    return current().identity().self();
  }

  /** Until when others take its certificate. */
  public Instant notAfter() {
    return current().identity().notAfter();
  }

  /** Why the files as they are now are not used; empty: they are. */
  public Optional<String> trouble() {
    current();
    return Optional.ofNullable(trouble);
  }

  /** The certificate, and what leads from it to the authority. */
  List<X509Certificate> chain() {
    return current().identity().chain();
  }

  Held current() {
    Held now = held;
    if (ticker.nanos() - checkedNanos < CHECK_INTERVAL_NANOS) {
      return now;
    }
    synchronized (reading) {
      if (ticker.nanos() - checkedNanos >= CHECK_INTERVAL_NANOS) {
        checkedNanos = ticker.nanos();
        reloadIfChanged();
      }
      return held;
    }
  }

  private void reloadIfChanged() {
    Held before = held;
    List<Stamp> stamps = stamps();
    if (stamps.equals(before.stamps())) {
      trouble = null;
      return;
    }
    try {
      Identity identity = Identity.read(files);
      if (!identity.self().equals(before.identity().self())) {
        throw new IOException("%s names %s of cluster %s; this is %s of cluster %s until it is restarted".formatted(
            files.certificate(), identity.self(), identity.self().cluster(), before.identity().self(),
            before.identity().self().cluster()));
      }
      held = new Held(before.number() + 1, identity,
          new Held(before.number(), before.identity(), null, before.stamps()),
          stamps);
      trouble = null;
      log.info("certificate of {} read again: valid until {}", identity.self(), identity.notAfter());
    } catch (IOException | RuntimeException e) {
      String reason = IoFailure.sentence(e);
      if (!reason.equals(trouble)) {
        log.warn("the certificate stays as it was: {}", reason);
      }
      trouble = reason;
    }
  }

  private List<Stamp> stamps() {
    List<Stamp> stamps = new ArrayList<>();
    files.all().forEach(each -> stamps.add(Stamp.of(each)));
    return stamps;
  }

  /** A peer was refused: the log says why, at most once a second, however many come. */
  void refused(CertificateException why) {
    long now = ticker.nanos();
    long told = toldNanos.get();
    if (now - told >= CHECK_INTERVAL_NANOS && toldNanos.compareAndSet(told, now)) {
      log.warn("a peer's certificate is not accepted: {}", why.getMessage());
    }
  }

  KeyManager keyManager() {
    return new MemberKeyManager(this);
  }

  TrustManager trustManager(PeerCheck check) {
    return new MemberTrustManager(this, check);
  }

  /** TLS as the JDK's own servers and clients take it. */
  public SSLContext context(PeerCheck check) {
    try {
      SSLContext context = SSLContext.getInstance(PROTOCOL);
      context.init(new KeyManager[]{keyManager()}, new TrustManager[]{trustManager(check)}, null);
      // A session that is resumed shows no certificate.
      context.getServerSessionContext().setSessionTimeout(TlsContexts.SESSION_SECONDS);
      context.getClientSessionContext().setSessionTimeout(TlsContexts.SESSION_SECONDS);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java has no TLS", e);
    }
  }

  /**
   * Who is at the other end of a connection, which was checked when it was made.
   *
   * @return empty: it has shown no certificate
   */
  public static Optional<Member> peer(SSLSession session) {
    try {
      return session.getPeerCertificates()[0] instanceof X509Certificate certificate
          ? Optional.of(Member.of(certificate))
          : Optional.empty();
    } catch (SSLPeerUnverifiedException e) {
      return Optional.empty();
    } catch (CertificateException e) {
      throw new IllegalStateException("a peer was let in whose certificate names no member: " + e.getMessage(), e);
    }
  }

  /** The identity of that number, if it is still held. */
  @Nullable
  Identity numbered(@Nullable String number) {
    Held now = held;
    if (Long.toString(now.number()).equals(number)) {
      return now.identity();
    }
    Held before = now.before();
    return before != null && Long.toString(before.number()).equals(number) ? before.identity() : null;
  }

  @Override
  public String toString() {
    return Objects.toString(held.identity().self());
  }
}
