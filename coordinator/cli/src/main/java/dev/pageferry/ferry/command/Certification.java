package dev.pageferry.ferry.command;

import dev.pageferry.common.certificate.CertificateAuthority;
import dev.pageferry.common.certificate.MemberFolder;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PemFiles;
import dev.pageferry.common.tls.Role;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Membership;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.CertificateText;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** An authority at work in its folder. */
final class Certification {
  private final Session.Local session;
  private final MemberFolder folder;
  private final CertificateAuthority authority;
  private final Duration valid;
  private final Instant now;

  private Certification(Session.Local session, MemberFolder folder, CertificateAuthority authority, Duration valid) {
    this.session = session;
    this.folder = folder;
    this.authority = authority;
    this.valid = valid;
    now = session.surroundings().clock().instant();
  }

  /**
   * Makes an authority.
   *
   * @param validSelf how long the authority itself is
   * @throws Failure if there is one
   */
  static Certification make(Session.Local session, Path directory, String cluster, Duration validSelf) {
    if (Files.exists(directory) && !Files.isDirectory(directory)) {
      throw new Failure(ExitCode.FAILED, "%s is not a directory; choose another --dir".formatted(directory));
    }
    MemberFolder folder = new MemberFolder(directory);
    try {
      CertificateAuthority authority = folder.init(cluster, session.surroundings().clock().instant(), validSelf,
          session.surroundings().chance().get());
      return new Certification(session, folder, authority, CertOptions.YEAR);
    } catch (FileAlreadyExistsException e) {
      throw new Failure(ExitCode.REFUSED,
          "%s; an authority is never replaced; certify more members with 'ferry cert host' and so on, or choose another --dir"
              .formatted(IoFailure.sentence(e)),
          e);
    } catch (IOException e) {
      throw failed(e);
    }
  }

  /** @throws Failure if there is no authority that can certify */
  static Certification open(Session.Local session, Path directory, Duration valid) {
    MemberFolder folder = new MemberFolder(directory);
    for (Path each : List.of(folder.authorityCertificate(), folder.authorityKey())) {
      if (!Files.exists(each)) {
        throw new Failure(ExitCode.NOT_FOUND,
            "there is no %s; name the authority's folder with --dir, or make one with 'ferry cert init'"
                .formatted(each));
      }
    }
    try {
      Certification certification = new Certification(session, folder,
          folder.open(session.surroundings().chance().get()), valid);
      certification.checkAuthority();
      return certification;
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private void checkAuthority() {
    Instant end = authorityEnd();
    if (now.isAfter(end)) {
      throw new Failure(ExitCode.REFUSED,
          "the authority %s has expired on %s; make another in a folder of its own with 'ferry cert init', and certify all members anew"
              .formatted(folder.authorityCertificate(), CertificateText.day(end)));
    }
    if (now.plus(Membership.RENEW_BEFORE).isAfter(end)) {
      session.output().message("warning: the authority %s ends on %s, and with it all that it certified"
          .formatted(folder.authorityCertificate(), CertificateText.day(end)));
    }
  }

  private Instant authorityEnd() {
    return authority.self().certificate().getNotAfter().toInstant();
  }

  Member member(Role role, String name) {
    return named(authority.cluster(), role, name);
  }

  /** @throws Failure if the name is malformed */
  static Member named(String cluster, Role role, String name) {
    try {
      return new Member(cluster, role, name);
    } catch (IllegalArgumentException e) {
      throw new Failure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
    }
  }

  /** @throws Failure if one of them has a certificate, before any is certified */
  void certify(Collection<Member> members) {
    refuseCertified(folder, members);
    issue(members);
  }

  static void refuseCertified(MemberFolder folder, Collection<Member> members) {
    for (Member each : members) {
      if (folder.has(each.role(), each.name())) {
        throw new Failure(ExitCode.REFUSED, "%s has a certificate already, %s; use 'ferry cert renew %s'".formatted(
            each, folder.files(each.role(), each.name()).certificate(), word(each)));
      }
    }
  }

  /** @throws Failure if one of them has no certificate, before any is renewed */
  void renew(Collection<Member> members) {
    for (Member each : members) {
      if (!folder.has(each.role(), each.name())) {
        throw new Failure(ExitCode.NOT_FOUND, "%s has no certificate to renew, %s; there are: %s".formatted(each,
            folder.files(each.role(), each.name()).certificate(),
            all().stream().map(Certification::word).collect(Collectors.joining(", "))));
      }
    }
    issue(members);
  }

  /** Renews all whose certificates end within that time. */
  void renewWithin(Duration time) {
    List<Member> ending = new ArrayList<>();
    try {
      for (Member each : all()) {
        X509Certificate certificate = PemFiles.certificates(folder.files(each.role(), each.name()).certificate())
            .getFirst();
        if (!certificate.getNotAfter().toInstant().isAfter(now.plus(time))) {
          ending.add(member(each.role(), each.name()));
        }
      }
    } catch (IOException e) {
      throw failed(e);
    }
    issue(ending);
    if (ending.isEmpty()) {
      session.output()
          .message("no certificate ends within %d days; there is nothing to renew".formatted(time.toDays()));
    }
  }

  private List<Member> all() {
    try {
      return folder.members();
    } catch (IOException e) {
      throw failed(e);
    }
  }

  private void issue(Collection<Member> members) {
    List<CertificateText.Entry> entries = new ArrayList<>();
    try {
      for (Member each : members) {
        CertificateAuthority.Issued issued = authority.issue(each, now, valid);
        entries.add(entry(issued.certificate(), folder.write(each, issued)));
      }
    } catch (IOException e) {
      throw failed(e);
    }
    CertificateText.made(session.output(), entries);
    if (!members.isEmpty() && now.plus(valid).isAfter(authorityEnd())) {
      session.output().message("these certificates end on %s, with that of their authority, and not after %d days"
          .formatted(CertificateText.day(authorityEnd()), valid.toDays()));
    }
  }

  private static CertificateText.Entry entry(X509Certificate certificate, MemberFiles files) {
    return entry(certificate, files.certificate(), files.key(), files.authorities());
  }

  /** What a certificate says that stands in a file. */
  static CertificateText.Entry entry(X509Certificate certificate, Path file, @Nullable Path key,
      @Nullable Path authorities) {
    String member = "";
    String cluster;
    try {
      Member self = Member.of(certificate);
      member = word(self);
      cluster = self.cluster();
    } catch (CertificateException e) {
      cluster = authorityOf(certificate);
    }
    return new CertificateText.Entry(member, cluster, file, key, authorities, certificate.getNotBefore().toInstant(),
        certificate.getNotAfter().toInstant(), certificate.getIssuerX500Principal().getName());
  }

  private static String authorityOf(X509Certificate certificate) {
    try {
      return Member.clusterOf(certificate).orElse("");
    } catch (CertificateException e) {
      // Names that nobody understands name no cluster.
      return "";
    }
  }

  /** As it is written on command lines. */
  private static String word(Member member) {
    return "%s/%s".formatted(member.role().word(), member.name());
  }

  static Failure failed(IOException problem) {
    return new Failure(ExitCode.FAILED, IoFailure.sentence(problem), problem);
  }
}
