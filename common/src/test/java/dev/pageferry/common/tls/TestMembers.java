package dev.pageferry.common.tls;

import dev.pageferry.common.certificate.CertificateAuthority;
import dev.pageferry.common.certificate.MemberFolder;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;

/** Members of a cluster, certified in a folder of their own. */
public final class TestMembers {
  private static final Duration YEAR = Duration.ofDays(365);

  private final String cluster;
  private final MemberFolder folder;
  private final CertificateAuthority authority;

  public TestMembers(Path directory, String cluster) throws IOException {
    this.cluster = cluster;
    folder = new MemberFolder(directory);
    authority = folder.init(cluster, Instant.now(), YEAR, new SecureRandom());
  }

  /** The files of a member, which is certified if it was not yet. */
  public MemberFiles files(Role role, String name) throws IOException {
    return files(new Member(cluster, role, name), Instant.now(), YEAR);
  }

  private MemberFiles files(Member member, Instant from, Duration valid) throws IOException {
    return folder.write(member, authority.issue(member, from, valid));
  }

  public Credentials of(Role role, String name) throws IOException {
    return Credentials.open(files(role, name), Ticker.SYSTEM);
  }

  /** A member whose certificate ended yesterday. */
  public Credentials expired(Role role, String name) throws IOException {
    return Credentials.open(files(new Member(cluster, role, name), Instant.now().minus(Duration.ofDays(3)),
        Duration.ofDays(2)), Ticker.SYSTEM);
  }

  /** A member of another cluster, certified by the same authority. */
  public Credentials ofCluster(String other, Role role, String name) throws IOException {
    return Credentials.open(files(new Member(other, role, name), Instant.now(), YEAR), Ticker.SYSTEM);
  }
}
