package dev.pageferry.common.tls;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/**
 * What the three files of a member say, read together.
 *
 * @param self whom the certificate names
 * @param chain its certificate first
 * @param authorities checks certificates of others
 */
record Identity(Member self, PrivateKey key, List<X509Certificate> chain, X509TrustManager authorities) {
  /** @throws IOException naming the file that cannot be used, and why */
  static Identity read(MemberFiles files) throws IOException {
    List<X509Certificate> chain = PemFiles.certificates(files.certificate());
    PrivateKey key = PemFiles.key(files.key());
    Member self;
    try {
      self = Member.of(chain.getFirst());
    } catch (CertificateException e) {
      throw new IOException("%s: %s".formatted(files.certificate(), e.getMessage()), e);
    }
    try {
      if (!PemFiles.belong(key, chain.getFirst().getPublicKey())) {
        throw new IOException("%s is not the key of %s".formatted(files.key(), files.certificate()));
      }
      return new Identity(self, key, chain, trusting(PemFiles.certificates(files.authorities())));
    } catch (GeneralSecurityException e) {
      throw new IOException("%s and %s cannot be used: %s".formatted(files.certificate(), files.key(), e.getMessage()),
          e);
    }
  }

  Instant notAfter() {
    return chain.getFirst().getNotAfter().toInstant();
  }

  private static X509TrustManager trusting(List<X509Certificate> authorities)
      throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    for (int i = 0; i < authorities.size(); i++) {
      store.setCertificateEntry("authority-" + i, authorities.get(i));
    }
    TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(store);
    for (TrustManager each : factory.getTrustManagers()) {
      if (each instanceof X509TrustManager manager) {
        return manager;
      }
    }
    throw new IllegalStateException("this Java has no PKIX trust manager");
  }
}
