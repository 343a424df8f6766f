package dev.pageferry.ferry.session;

import dev.pageferry.common.config.HostPort;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** Finds out whether TLS is spoken at an address, to say why a connection ended at once. Trusts nobody, and sends nothing. */
final class TlsProbe {
  private static final int PATIENCE_MILLIS = 2000;

  private TlsProbe() {
  }

  /** Whether a certificate was shown; false also where nobody answers in time. */
  static boolean speaksTls(HostPort address) {
    Shown shown = new Shown();
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[]{shown}, null);
      try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket()) {
        socket.connect(new InetSocketAddress(address.host(), address.port()), PATIENCE_MILLIS);
        socket.setSoTimeout(PATIENCE_MILLIS);
        socket.startHandshake();
      }
    } catch (IOException | GeneralSecurityException e) {
      // It ends so in any case: what was seen before counts.
      return shown.any.get();
    }
    return shown.any.get();
  }

  /** Takes note of a certificate, and refuses it. */
  private static final class Shown implements X509TrustManager {
    private final AtomicBoolean any = new AtomicBoolean();

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
      any.set(true);
      throw new CertificateException("seen");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
      throw new CertificateException("not a server");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
