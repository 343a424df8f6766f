package dev.pageferry.common.certificate;

import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PemFiles;
import dev.pageferry.common.tls.Role;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;

/**
 * A folder with an authority and the members that it has certified: {@code ca.crt}, {@code ca.key}, and for each member
 * {@code ROLE/NAME.crt} and {@code ROLE/NAME.key}. Keys are for their owner's eyes only. Each file is there whole or not at all.
 */
public final class MemberFolder {
  private static final Base64.Encoder PEM = Base64.getMimeEncoder(64, new byte[]{'\n'});
  private static final String CERTIFICATE = ".crt";
  private static final String OWNERS = "rw-------";
  private static final String READABLE = "rw-r--r--";

  private final Path directory;

  public MemberFolder(Path directory) {
    this.directory = directory;
  }

  public Path authorityCertificate() {
    return directory.resolve("ca.crt");
  }

  public Path authorityKey() {
    return directory.resolve("ca.key");
  }

  /** Where a member's files are, whether they are there or not. */
  public MemberFiles files(Role role, String name) {
    Path folder = directory.resolve(role.word());
    return new MemberFiles(folder.resolve(name + CERTIFICATE), folder.resolve(name + ".key"), authorityCertificate());
  }

  /**
   * Makes the authority of a cluster.
   *
   * @throws FileAlreadyExistsException if there is one
   */
  public CertificateAuthority init(String cluster, Instant now, Duration valid, SecureRandom random)
      throws IOException {
    for (Path each : new Path[]{authorityCertificate(), authorityKey()}) {
      if (Files.exists(each)) {
        throw new FileAlreadyExistsException(each.toString());
      }
    }
    CertificateAuthority authority = CertificateAuthority.make(cluster, now, valid, random);
    write(authorityKey(), pem("PRIVATE KEY", authority.self().key().getEncoded()), OWNERS);
    write(authorityCertificate(), pem(authority.self().certificate()), READABLE);
    return authority;
  }

  /** @throws IOException naming the file that cannot be used, and why */
  public CertificateAuthority open(SecureRandom random) throws IOException {
    return CertificateAuthority.open(authorityCertificate(), authorityKey(), random);
  }

  /** Whether a member has a certificate here. */
  public boolean has(Role role, String name) {
    return Files.exists(files(role, name).certificate());
  }

  /**
   * All members that have a certificate here, by what it says.
   *
   * @throws IOException naming the file that cannot be used, and why
   */
  public List<Member> members() throws IOException {
    List<Member> members = new ArrayList<>();
    for (Role role : Role.values()) {
      Path folder = directory.resolve(role.word());
      if (Files.isDirectory(folder)) {
        try (DirectoryStream<Path> certificates = Files.newDirectoryStream(folder, "*" + CERTIFICATE)) {
          for (Path each : certificates) {
            members.add(member(each));
          }
        }
      }
    }
    members.sort(Comparator.comparing(Member::role).thenComparing(Member::name));
    return members;
  }

  private static Member member(Path certificate) throws IOException {
    try {
      return Member.of(PemFiles.certificates(certificate).getFirst());
    } catch (CertificateException e) {
      throw new IOException("%s: %s".formatted(certificate, e.getMessage()), e);
    }
  }

  /** Writes what a member has; in place of what was there before. */
  public MemberFiles write(Member member, CertificateAuthority.Issued issued) throws IOException {
    MemberFiles files = files(member.role(), member.name());
    // The key first: a program that reads both in between finds that they do not belong together, and looks again.
    write(files.key(), pem("PRIVATE KEY", issued.key().getEncoded()), OWNERS);
    write(files.certificate(), pem(issued.certificate()), READABLE);
    return files;
  }

  private static String pem(X509Certificate certificate) throws IOException {
    try {
      return pem("CERTIFICATE", certificate.getEncoded());
    } catch (GeneralSecurityException e) {
      throw new IOException("a certificate cannot be written: " + e.getMessage(), e);
    }
  }

  private static String pem(String label, byte[] bytes) {
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(label, PEM.encodeToString(bytes), label);
  }

  private static void write(Path file, String text, String permissions) throws IOException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    Path whole = Files.createTempFile(folder, ".", ".new",
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(permissions)));
    try {
      Files.write(whole, text.getBytes(StandardCharsets.US_ASCII));
      Files.setPosixFilePermissions(whole, PosixFilePermissions.fromString(permissions));
      move(whole, file);
    } finally {
      Files.deleteIfExists(whole);
    }
  }

  private static void move(Path whole, Path file) throws IOException {
    try {
      Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(whole, file, StandardCopyOption.REPLACE_EXISTING);
    }
  }
}
