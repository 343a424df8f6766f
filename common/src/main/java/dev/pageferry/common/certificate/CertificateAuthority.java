package dev.pageferry.common.certificate;

import dev.pageferry.common.identity.Names;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.PemFiles;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.CertIOException;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/** Certifies the members of one cluster (RFC 5280): keys on the curve P-256, signatures ECDSA with SHA-256. */
public final class CertificateAuthority {
  private static final String CURVE = "secp256r1";
  private static final String SIGNATURE = "SHA256withECDSA";
  private static final int SERIAL_BITS = 127;
  /** Clocks of hosts differ: what is valid from now on would not be valid yet for one that is behind. */
  private static final Duration CLOCKS_DIFFER = Duration.ofMinutes(10);

  private final String cluster;
  private final X509Certificate certificate;
  private final PrivateKey key;
  private final SecureRandom random;

  private CertificateAuthority(String cluster, X509Certificate certificate, PrivateKey key, SecureRandom random) {
    this.cluster = cluster;
    this.certificate = certificate;
    this.key = key;
    this.random = random;
  }

  /** A certificate, and the key that belongs to it. */
  public record Issued(X509Certificate certificate, PrivateKey key) {
  }

  /** Makes an authority for a cluster of that name. */
  public static CertificateAuthority make(String cluster, Instant now, Duration valid, SecureRandom random) {
    Names.check("cluster", cluster);
    try {
      KeyPair pair = keyPair(random);
      JcaX509v3CertificateBuilder builder = builder(cluster + " authority", cluster + " authority", pair.getPublic(),
          new Validity(now, valid), random);
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
      builder.addExtension(Extension.subjectKeyIdentifier, false,
          new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
      builder.addExtension(Extension.subjectAlternativeName, false, uri(Member.clusterUri(cluster)));
      return new CertificateAuthority(cluster, signed(builder, pair.getPrivate()), pair.getPrivate(), random);
    } catch (GeneralSecurityException | CertIOException | OperatorCreationException e) {
      throw new IllegalStateException("an authority cannot be made: " + e.getMessage(), e);
    }
  }

  /** @throws IOException naming the file that cannot be used, and why */
  public static CertificateAuthority open(Path certificate, Path key, SecureRandom random) throws IOException {
    X509Certificate own = PemFiles.certificates(certificate).getFirst();
    PrivateKey itsKey = PemFiles.key(key);
    try {
      if (!PemFiles.belong(itsKey, own.getPublicKey())) {
        throw new IOException("%s is not the key of %s".formatted(key, certificate));
      }
      String cluster = Member.clusterOf(own).orElseThrow(() -> new IOException(
          "%s does not name the cluster that it certifies members of".formatted(certificate)));
      return new CertificateAuthority(Names.check("cluster", cluster), own, itsKey, random);
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      throw new IOException("%s and %s cannot be used: %s".formatted(certificate, key, e.getMessage()), e);
    }
  }

  /** The cluster whose members it certifies. */
  public String cluster() {
    return cluster;
  }

  public Issued self() {
    return new Issued(certificate, key);
  }

  /**
   * Certifies a member, for both sides of a connection, with a key that is made for it. No certificate outlives the
   * authority's own.
   */
  public Issued issue(Member member, Instant now, Duration valid) {
    try {
      KeyPair pair = keyPair(random);
      X509Certificate issuer = certificate;
      JcaX509v3CertificateBuilder builder = new JcaX509v3CertificateBuilder(issuer, serial(random),
          Date.from(now.minus(CLOCKS_DIFFER)), until(now.plus(valid)),
          new X500Principal("CN=" + member.name()), pair.getPublic());
      builder.addExtension(Extension.subjectAlternativeName, false, uri(member.uri()));
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(Extension.extendedKeyUsage, false,
          new ExtendedKeyUsage(new KeyPurposeId[]{KeyPurposeId.id_kp_serverAuth, KeyPurposeId.id_kp_clientAuth}));
      builder.addExtension(Extension.authorityKeyIdentifier, false,
          new JcaX509ExtensionUtils().createAuthorityKeyIdentifier(issuer));
      return new Issued(signed(builder, key), pair.getPrivate());
    } catch (GeneralSecurityException | CertIOException | OperatorCreationException e) {
      throw new IllegalStateException("%s cannot be certified: %s".formatted(member, e.getMessage()), e);
    }
  }

  private Date until(Instant end) {
    Date own = certificate.getNotAfter();
    return end.isBefore(own.toInstant()) ? Date.from(end) : own;
  }

  private static GeneralNames uri(String text) {
    return new GeneralNames(new GeneralName(GeneralName.uniformResourceIdentifier, text));
  }

  private record Validity(Instant now, Duration valid) {
  }

  private static JcaX509v3CertificateBuilder builder(String issuer, String subject, PublicKey key, Validity validity,
      SecureRandom random) {
    return new JcaX509v3CertificateBuilder(new X500NameBuilder().addRDN(BCStyle.CN, issuer).build(), serial(random),
        Date.from(validity.now().minus(CLOCKS_DIFFER)), Date.from(validity.now().plus(validity.valid())),
        new X500NameBuilder().addRDN(BCStyle.CN, subject).build(), key);
  }

  private static BigInteger serial(SecureRandom random) {
    return new BigInteger(SERIAL_BITS, random).setBit(SERIAL_BITS - 1);
  }

  private static KeyPair keyPair(SecureRandom random) throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec(CURVE), random);
    return generator.generateKeyPair();
  }

  private static X509Certificate signed(JcaX509v3CertificateBuilder builder, PrivateKey key)
      throws OperatorCreationException, GeneralSecurityException {
    String algorithm = key.getAlgorithm().equals("EC")
        ? SIGNATURE
        : key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : key.getAlgorithm();
    return new JcaX509CertificateConverter()
        .getCertificate(builder.build(new JcaContentSignerBuilder(algorithm).build(key)));
  }
}
