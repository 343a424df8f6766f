package dev.pageferry.ferry;

import dev.pageferry.common.certificate.CertificateAuthority;
import dev.pageferry.common.certificate.MemberFolder;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;

/** An authority of a test's own, and what it certifies. */
final class TestAuthority {
  static final Duration YEAR = Duration.ofDays(365);
  private final MemberFolder folder;
  private final CertificateAuthority authority;

  TestAuthority(Path directory) throws IOException {
    folder = new MemberFolder(directory);
    authority = folder.init("north", Instant.now(), YEAR.multipliedBy(2), new SecureRandom());
  }

  MemberFiles member(String cluster, Role role, String name, Duration valid) throws IOException {
    return member(cluster, role, name, Instant.now(), valid);
  }

  MemberFiles member(String cluster, Role role, String name, Instant from, Duration valid) throws IOException {
    Member member = new Member(cluster, role, name);
    return folder.write(member, authority.issue(member, from, valid));
  }

  MemberFiles operator() throws IOException {
    return member("north", Role.OPERATOR, "alice", YEAR);
  }

  SslContext coordinator() throws IOException {
    return server(member("north", Role.COORDINATOR, "one", YEAR));
  }

  static SslContext server(MemberFiles files) throws IOException {
    return TlsContexts.grpcServer(Credentials.open(files, Ticker.SYSTEM), PeerCheck.ANY_MEMBER);
  }
}
