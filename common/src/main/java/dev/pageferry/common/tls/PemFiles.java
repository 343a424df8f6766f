package dev.pageferry.common.tls;

import dev.pageferry.common.failure.IoFailure;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and keys as text (RFC 7468). What stands between them is ignored. */
public final class PemFiles {
  private static final Pattern BLOCK = Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----\\s([^-]*)-----END \\1-----");
  private static final int MAX_BYTES = 1 << 20;
  private static final List<String> KEY_ALGORITHMS = List.of("EC", "RSA", "EdDSA");
  private static final String KEY = "PRIVATE KEY";
  private static final byte[] PROBE = {'p', 'a', 'g', 'e', 'f', 'e', 'r', 'r', 'y'};

  private PemFiles() {
  }

  private record Block(String label, byte[] bytes) {
  }

  /** @throws IOException naming the file, if it cannot be read or has no certificate */
  public static List<X509Certificate> certificates(Path file) throws IOException {
    List<X509Certificate> certificates = new ArrayList<>();
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      for (Block each : blocks(file)) {
        if (each.label().equals("CERTIFICATE") && factory
            .generateCertificate(new ByteArrayInputStream(each.bytes())) instanceof X509Certificate certificate) {
          certificates.add(certificate);
        }
      }
    } catch (CertificateException e) {
      throw new IOException("%s has a damaged certificate: %s".formatted(file, e.getMessage()), e);
    }
    if (certificates.isEmpty()) {
      throw new IOException("%s has no certificate (PEM)".formatted(file));
    }
    return certificates;
  }

  /** @throws IOException naming the file, if it cannot be read or has no key that is understood */
  public static PrivateKey key(Path file) throws IOException {
    List<Block> keys = blocks(file).stream().filter(each -> each.label().endsWith(KEY)).toList();
    if (keys.size() != 1) {
      throw new IOException("%s has %d private keys (PEM), not one".formatted(file, keys.size()));
    }
    Block key = keys.getFirst();
    if (!key.label().equals(KEY)) {
      throw new IOException("%s has an '%s'; make it one of PKCS #8 with 'openssl pkcs8 -topk8 -nocrypt'"
          .formatted(file, key.label()));
    }
    for (String algorithm : KEY_ALGORITHMS) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(key.bytes()));
      } catch (InvalidKeySpecException e) {
        // Of another algorithm, then.
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException("this Java has no %s keys".formatted(algorithm), e);
      }
    }
    throw new IOException("%s has no key of %s".formatted(file, String.join(", ", KEY_ALGORITHMS)));
  }

  /** Whether a private key is that of a certificate. */
  public static boolean belong(PrivateKey key, PublicKey certified) throws GeneralSecurityException {
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

  private static List<Block> blocks(Path file) throws IOException {
    List<Block> blocks = new ArrayList<>();
    Matcher matcher = BLOCK.matcher(text(file));
    while (matcher.find()) {
      try {
        blocks.add(new Block(matcher.group(1), Base64.getMimeDecoder().decode(matcher.group(2))));
      } catch (IllegalArgumentException e) {
        throw new IOException("%s has a damaged '%s': %s".formatted(file, matcher.group(1), e.getMessage()), e);
      }
    }
    return blocks;
  }

  private static String text(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] bytes = in.readNBytes(MAX_BYTES + 1);
      if (bytes.length > MAX_BYTES) {
        throw new IOException("%s is larger than %d bytes".formatted(file, MAX_BYTES));
      }
      return new String(bytes, StandardCharsets.US_ASCII);
    } catch (IOException e) {
      throw new IOException(IoFailure.sentence(e), e);
    }
  }
}
