package dev.pageferry.common.tls;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
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
  private static final byte[] PROBE = {'p', 'a', 'g', 'e', 'f', 'e', 'r', 'r', 'y'};

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
      if (!belong(key, chain.getFirst().getPublicKey())) {
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

  private static boolean belong(PrivateKey key, PublicKey certified) throws GeneralSecurityException {
    String algorithm = switch (key.getAlgorithm()) {
      case "EC" -> "SHA256withECDSA";
      case "RSA" -> "SHA256withRSA";
      default -> key.getAlgorithm();
    };
    if (!sameAlgorithm(key.getAlgorithm(), certified.getAlgorithm())) {
      return false;
    }
    Signature signature = Signature.getInstance(algorithm);
    signature.initSign(key);
    signature.update(PROBE);
    byte[] signed = signature.sign();
    signature.initVerify(certified);
    signature.update(PROBE);
    return signature.verify(signed);
  }

  private static boolean sameAlgorithm(String one, String other) {
    return one.equals(other) || (isEdwards(one) && isEdwards(other));
  }

  private static boolean isEdwards(String algorithm) {
    return algorithm.equals("EdDSA") || algorithm.startsWith("Ed");
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
