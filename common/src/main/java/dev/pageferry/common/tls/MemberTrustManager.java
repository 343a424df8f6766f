package dev.pageferry.common.tls;

import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Objects;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Takes a peer whose certificate one of the authorities has given, which is valid now, and which names a member of this cluster
 * that may be there. Names of machines do not matter: the certificate says who it is, and not where.
 */
final class MemberTrustManager extends X509ExtendedTrustManager {
  private final Credentials credentials;
  private final PeerCheck check;

  MemberTrustManager(Credentials credentials, PeerCheck check) {
    this.credentials = credentials;
    this.check = check;
  }

  /** What the authorities say of a chain. */
  private interface Chain {
    void check(X509TrustManager authorities) throws CertificateException;
  }

  private void check(X509Certificate[] chain, String asked, Chain trusted) throws CertificateException {
    try {
      Identity own = credentials.current().identity();
      trusted.check(own.authorities());
      Member peer = Member.of(chain[0]);
      if (!peer.cluster().equals(own.self().cluster())) {
        throw new CertificateException(
            "the peer is %s of cluster %s; this is cluster %s".formatted(peer, peer.cluster(), own.self().cluster()));
      }
      check.check(peer, asked);
    } catch (CertificateException e) {
      credentials.refused(e);
      throw e;
    }
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
    check(chain, "", authorities -> authorities.checkClientTrusted(chain, authType));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
    checkServer(chain, authType, "");
  }

  private void checkServer(X509Certificate[] chain, String authType, String asked) throws CertificateException {
    check(chain, asked, authorities -> authorities.checkServerTrusted(chain, authType));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, @Nullable Socket socket)
      throws CertificateException {
    checkClientTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, @Nullable SSLEngine engine)
      throws CertificateException {
    checkClientTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, @Nullable Socket socket)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, @Nullable SSLEngine engine)
      throws CertificateException {
    checkServer(chain, authType,
        engine == null ? "" : Objects.requireNonNullElse(engine.getPeerHost(), ""));
  }

  /** None are named to clients: each has one certificate, and shows it. */
  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return new X509Certificate[0];
  }
}
