package dev.pageferry.common.tls;

import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import javax.net.ssl.SSLException;

/**
 * TLS 1.3 as Netty takes it, both sides with certificates. BoringSSL where its native library loads, the JDK's own elsewhere.
 */
public final class TlsContexts {
  public static final String PROTOCOL = "TLSv1.3";
  /** A session that is taken up again shows no certificate: none is, beyond this. */
  static final int SESSION_SECONDS = 1;

  private TlsContexts() {
  }

  /** Of a gRPC server. */
  public static SslContext grpcServer(Credentials credentials, PeerCheck check) {
    return built(withHttp2(server(credentials, check)));
  }

  /** Of a gRPC client. */
  public static SslContext grpcClient(Credentials credentials, PeerCheck check) {
    return built(withHttp2(client(credentials, check)));
  }

  /** Of a server for the migration protocol. */
  public static SslContext streamServer(Credentials credentials, PeerCheck check) {
    return built(server(credentials, check));
  }

  /** Of a client of the migration protocol. */
  public static SslContext streamClient(Credentials credentials, PeerCheck check) {
    return built(client(credentials, check));
  }

  private static SslContextBuilder server(Credentials credentials, PeerCheck check) {
    return common(SslContextBuilder.forServer(credentials.keyManager()), credentials, check)
        .clientAuth(ClientAuth.REQUIRE);
  }

  private static SslContextBuilder client(Credentials credentials, PeerCheck check) {
    // What the certificate names is checked in place of the host's name.
    return common(SslContextBuilder.forClient().keyManager(credentials.keyManager())
        .endpointIdentificationAlgorithm(null), credentials, check);
  }

  private static SslContextBuilder common(SslContextBuilder builder, Credentials credentials, PeerCheck check) {
    return builder.trustManager(credentials.trustManager(check)).protocols(PROTOCOL)
        .sslProvider(OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK)
        .sessionCacheSize(1).sessionTimeout(SESSION_SECONDS);
  }

  private static SslContextBuilder withHttp2(SslContextBuilder builder) {
    return builder.applicationProtocolConfig(new ApplicationProtocolConfig(Protocol.ALPN,
        SelectorFailureBehavior.NO_ADVERTISE, SelectedListenerFailureBehavior.ACCEPT, ApplicationProtocolNames.HTTP_2));
  }

  private static SslContext built(SslContextBuilder builder) {
    try {
      return builder.build();
    } catch (SSLException e) {
      throw new IllegalStateException("TLS cannot be set up: " + e.getMessage(), e);
    }
  }
}
