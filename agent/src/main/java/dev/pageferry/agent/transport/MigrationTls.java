package dev.pageferry.agent.transport;

import dev.pageferry.agent.wire.WireException;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import io.netty.channel.Channel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.security.cert.CertificateException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * TLS of the streams of migrations, between hosts that know each other by certificates. Each stream has its own, so that all
 * processors take part. Without certificates streams are plain.
 */
public final class MigrationTls {
  /** For hosts that know nobody. */
  public static final MigrationTls NONE = new MigrationTls(Optional.empty());
  private static final String HANDLER = "tls";
  private static final long HANDSHAKE_SECONDS = 5;
  private static final int MAX_CAUSES = 10;

  private final Optional<Contexts> contexts;

  private record Contexts(SslContext server, SslContext client) {
  }

  /** @param credentials empty: streams are plain */
  public MigrationTls(Optional<Credentials> credentials) {
    contexts = credentials.map(it -> new Contexts(TlsContexts.streamServer(it, PeerCheck.any(Role.HOST)),
        TlsContexts.streamClient(it, PeerCheck.NAMED_HOST)));
  }

  boolean isOn() {
    return contexts.isPresent();
  }

  /** Has an accepted connection show a host's certificate, before anything else of it is read. */
  void secureAccepted(Channel channel) {
    contexts.ifPresent(it -> install(channel, it.server().newHandler(channel.alloc())));
  }

  /** Has a connection that is being made go to that host, or not come about. */
  void secureTo(Channel channel, HostId destination) {
    contexts.ifPresent(it -> install(channel, it.client().newHandler(channel.alloc(), destination.value(), -1)));
  }

  private static void install(Channel channel, SslHandler handler) {
    handler.setHandshakeTimeout(HANDSHAKE_SECONDS, TimeUnit.SECONDS);
    // A frame is encrypted as a whole, record after record into one buffer, without being copied together first.
    handler.setWrapDataSize(0);
    channel.pipeline().addFirst(HANDLER, handler);
  }

  /** What is to be said of a connection that broke: where a certificate was refused, why. */
  static Throwable reason(Throwable failure) {
    Throwable cause = failure;
    for (int i = 0; i < MAX_CAUSES && cause != null; i++) {
      if (cause instanceof CertificateException || cause instanceof WireException) {
        return cause;
      }
      cause = cause.getCause();
    }
    return failure;
  }

  /** The host at the other end, once something was read from there; empty: streams are plain. */
  static Optional<HostId> peer(Channel channel) {
    return channel.pipeline().get(HANDLER) instanceof SslHandler handler
        ? Credentials.peer(handler.engine().getSession()).map(it -> new HostId(it.name()))
        : Optional.empty();
  }
}
