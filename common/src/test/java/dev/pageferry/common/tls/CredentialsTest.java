package dev.pageferry.common.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.certificate.CertificateAuthority;
import dev.pageferry.common.certificate.MemberFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CredentialsTest {
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final Duration YEAR = Duration.ofDays(365);

  @TempDir
  Path directory;
  private MemberFolder folder = new MemberFolder(Path.of("."));
  private CertificateAuthority authority = CertificateAuthority.make("north", Instant.now(), YEAR, RANDOM);
  private final AtomicLong nanos = new AtomicLong();

  @BeforeEach
  void makeAuthority() throws IOException {
    folder = new MemberFolder(directory.resolve("pki"));
    authority = folder.init("north", Instant.now(), YEAR, RANDOM);
  }

  private MemberFiles certify(Member member, Duration valid) throws IOException {
    return folder.write(member, authority.issue(member, Instant.now(), valid));
  }

  private Credentials host(String name) throws IOException {
    return Credentials.open(certify(new Member("north", Role.HOST, name), YEAR), nanos::get);
  }

  private static void present(Credentials to, PeerCheck check, X509Certificate... chain) throws CertificateException {
    ((MemberTrustManager) to.trustManager(check)).checkClientTrusted(chain, "UNKNOWN");
  }

  private static X509Certificate[] chain(Credentials credentials) {
    return credentials.chain().toArray(X509Certificate[]::new);
  }

  @Test
  void aMemberIsTakenByWhatItsCertificateNames() throws Exception {
    Credentials self = host("host-a");
    Credentials peer = host("host-b");
    assertThat(self.self()).isEqualTo(new Member("north", Role.HOST, "host-a"));
    present(self, PeerCheck.ANY_MEMBER, chain(peer));
    present(self, PeerCheck.any(Role.HOST), chain(peer));
    present(self, PeerCheck.of(Role.HOST, "host-b"), chain(peer));
    assertThatThrownBy(() -> present(self, PeerCheck.of(Role.HOST, "host-c"), chain(peer)))
        .isInstanceOf(CertificateException.class)
        .hasMessage("the peer is host host-b; host host-c was expected");
    assertThatThrownBy(() -> present(self, PeerCheck.any(Role.COORDINATOR), chain(peer)))
        .hasMessage("the peer is host host-b; a coordinator was expected");
  }

  @Test
  void aMemberOfAnotherClusterIsRefusedThoughOneAuthorityCertifiesBoth() throws Exception {
    Credentials self = host("host-a");
    Credentials other = Credentials.open(certify(new Member("south", Role.HOST, "host-b"), YEAR), nanos::get);
    assertThatThrownBy(() -> present(self, PeerCheck.ANY_MEMBER, chain(other)))
        .hasMessage("the peer is host host-b of cluster south; this is cluster north");
  }

  @Test
  void whatAnotherAuthorityCertifiedIsRefused() throws Exception {
    Credentials self = host("host-a");
    MemberFolder elsewhere = new MemberFolder(directory.resolve("elsewhere"));
    CertificateAuthority other = elsewhere.init("north", Instant.now(), YEAR, RANDOM);
    X509Certificate stranger = other.issue(new Member("north", Role.HOST, "host-b"), Instant.now(), YEAR).certificate();
    assertThatThrownBy(() -> present(self, PeerCheck.ANY_MEMBER, stranger)).isInstanceOf(CertificateException.class);
  }

  @Test
  void aCertificateThatHasExpiredIsRefused() throws Exception {
    Credentials self = host("host-a");
    X509Certificate expired = authority.issue(new Member("north", Role.HOST, "host-b"),
        Instant.now().minus(Duration.ofDays(3)), Duration.ofDays(2)).certificate();
    assertThatThrownBy(() -> present(self, PeerCheck.ANY_MEMBER, expired)).isInstanceOf(CertificateException.class);
  }

  @Test
  void whatWasRenewedIsUsedForTheNextConnection() throws Exception {
    Member member = new Member("north", Role.HOST, "host-a");
    Credentials self = Credentials.open(certify(member, Duration.ofDays(1)), nanos::get);
    Instant before = self.notAfter();
    MemberKeyManager keys = (MemberKeyManager) self.keyManager();
    String alias = keys.chooseEngineServerAlias("EC", null, null);
    certify(member, YEAR);
    assertThat(self.notAfter()).as("within the second").isEqualTo(before);
    nanos.addAndGet(Duration.ofSeconds(1).toNanos());
    assertThat(self.notAfter()).isAfter(before.plus(Duration.ofDays(300)));
    assertThat(keys.chooseEngineServerAlias("EC", null, null)).isNotEqualTo(alias);
    assertThat(keys.getPrivateKey(alias)).as("of a handshake that had begun").isNotNull();
  }

  @Test
  void filesThatDoNotBelongTogetherChangeNothingUntilTheyDo() throws Exception {
    Member member = new Member("north", Role.HOST, "host-a");
    MemberFiles files = certify(member, Duration.ofDays(1));
    Credentials self = Credentials.open(files, nanos::get);
    Instant before = self.notAfter();
    CertificateAuthority.Issued next = authority.issue(member, Instant.now(), YEAR);
    MemberFolder aside = new MemberFolder(directory.resolve("aside"));
    MemberFiles renewed = aside.write(member, next);
    Files.copy(renewed.key(), files.key(), StandardCopyOption.REPLACE_EXISTING);
    nanos.addAndGet(Duration.ofSeconds(1).toNanos());
    assertThat(self.notAfter()).isEqualTo(before);
    assertThat(self.trouble()).hasValueSatisfying(reason -> assertThat(reason).contains("is not the key of"));
    Files.copy(renewed.certificate(), files.certificate(), StandardCopyOption.REPLACE_EXISTING);
    nanos.addAndGet(Duration.ofSeconds(1).toNanos());
    assertThat(self.notAfter()).isAfter(before);
    assertThat(self.trouble()).isEmpty();
  }

  @Test
  void aProgramDoesNotBecomeAnotherMemberWhileItRuns() throws Exception {
    Member member = new Member("north", Role.HOST, "host-a");
    MemberFiles files = certify(member, YEAR);
    Credentials self = Credentials.open(files, nanos::get);
    MemberFiles other = certify(new Member("north", Role.HOST, "host-b"), YEAR);
    Files.copy(other.key(), files.key(), StandardCopyOption.REPLACE_EXISTING);
    Files.copy(other.certificate(), files.certificate(), StandardCopyOption.REPLACE_EXISTING);
    nanos.addAndGet(Duration.ofSeconds(1).toNanos());
    assertThat(self.self()).isEqualTo(member);
    assertThat(self.trouble()).isPresent();
  }

  @Test
  void aFileThatCannotBeUsedIsNamedWithTheReason() throws Exception {
    MemberFiles files = certify(new Member("north", Role.HOST, "host-a"), YEAR);
    Path empty = Files.createFile(directory.resolve("empty.pem"));
    Path missing = directory.resolve("missing.pem");
    assertThatThrownBy(() -> Credentials.open(new MemberFiles(empty, files.key(), files.authorities()), nanos::get))
        .isInstanceOf(IOException.class).hasMessage(empty + " has no certificate (PEM)");
    assertThatThrownBy(
        () -> Credentials.open(new MemberFiles(files.certificate(), empty, files.authorities()), nanos::get))
        .hasMessage(empty + " has 0 private keys (PEM), not one");
    assertThatThrownBy(
        () -> Credentials.open(new MemberFiles(files.certificate(), missing, files.authorities()), nanos::get))
        .hasMessageContaining(missing + " does not exist");
    Path old = directory.resolve("old.key");
    Files.writeString(old, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n");
    assertThatThrownBy(() -> Credentials.open(new MemberFiles(files.certificate(), old, files.authorities()),
        nanos::get)).hasMessageContaining("openssl pkcs8 -topk8 -nocrypt");
    assertThatThrownBy(() -> Credentials.open(new MemberFiles(folder.authorityCertificate(), folder.authorityKey(),
        files.authorities()), nanos::get)).hasMessageContaining("it is not spiffe://CLUSTER/ROLE/NAME");
  }

  @Test
  void keysAreForTheirOwnersEyesOnly() throws Exception {
    MemberFiles files = certify(new Member("north", Role.OPERATOR, "alice"), YEAR);
    for (Path key : new Path[]{files.key(), folder.authorityKey()}) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(key))).isEqualTo("rw-------");
    }
    assertThatThrownBy(() -> folder.init("north", Instant.now(), YEAR, RANDOM))
        .as("an authority is never replaced").isInstanceOf(IOException.class);
  }
}
