package dev.pageferry.common.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An authority in a folder, and whom it has certified. */
final class MemberFolderTest {
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
  private static final Duration YEAR = Duration.ofDays(365);

  @TempDir
  Path directory;
  private MemberFolder folder;
  private CertificateAuthority authority;

  @BeforeEach
  void init() throws IOException {
    folder = new MemberFolder(directory.resolve("pki"));
    authority = folder.init("north", NOW, YEAR, RANDOM);
  }

  @Test
  void anAuthorityThatIsOpenedAgainKnowsItsCluster() throws IOException {
    assertThat(authority.cluster()).isEqualTo("north");
    assertThat(folder.open(RANDOM).cluster()).isEqualTo("north");
  }

  @Test
  void aKeyOfAnotherAuthorityIsNoticed() throws IOException {
    MemberFolder other = new MemberFolder(directory.resolve("other"));
    other.init("north", NOW, YEAR, RANDOM);
    Files.copy(other.authorityKey(), folder.authorityKey(), StandardCopyOption.REPLACE_EXISTING);
    assertThatThrownBy(() -> folder.open(RANDOM)).isInstanceOf(IOException.class)
        .hasMessage("%s is not the key of %s", folder.authorityKey(), folder.authorityCertificate());
  }

  @Test
  void anAuthorityThatNamesNoClusterIsRefused() throws IOException {
    Member host = new Member("north", Role.HOST, "host-a");
    folder.write(host, authority.issue(host, NOW, YEAR));
    Files.copy(folder.files(Role.HOST, "host-a").key(), folder.authorityKey(), StandardCopyOption.REPLACE_EXISTING);
    Files.copy(folder.files(Role.HOST, "host-a").certificate(), folder.authorityCertificate(),
        StandardCopyOption.REPLACE_EXISTING);
    assertThatThrownBy(() -> folder.open(RANDOM))
        .hasMessage(folder.authorityCertificate() + " does not name the cluster that it certifies members of");
  }

  @Test
  void noMemberOutlivesItsAuthority() {
    Member host = new Member("north", Role.HOST, "host-a");
    assertThat(authority.issue(host, NOW.plus(Duration.ofDays(1)), YEAR).certificate().getNotAfter())
        .isEqualTo(authority.self().certificate().getNotAfter());
    assertThat(authority.issue(host, NOW, Duration.ofDays(1)).certificate().getNotAfter().toInstant())
        .isEqualTo(NOW.plus(Duration.ofDays(1)));
  }

  @Test
  void membersAreFoundByTheirCertificates() throws IOException {
    Member alice = new Member("north", Role.OPERATOR, "alice");
    Member host = new Member("north", Role.HOST, "host.a");
    assertThat(folder.members()).isEmpty();
    for (Member each : new Member[]{alice, host}) {
      folder.write(each, authority.issue(each, NOW, YEAR));
    }
    assertThat(folder.members()).containsExactly(host, alice);
    assertThat(folder.has(Role.HOST, "host.a")).isTrue();
    assertThat(folder.has(Role.HOST, "alice")).isFalse();
    Path damaged = Files.writeString(directory.resolve("pki/host/b.crt"), "no certificate");
    assertThatThrownBy(folder::members).hasMessageContaining(damaged.toString());
  }
}
