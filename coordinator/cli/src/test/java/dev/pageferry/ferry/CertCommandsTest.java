package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.PemFiles;
import dev.pageferry.common.tls.Role;
import dev.pageferry.ferry.session.ExitCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The small authority on the command line. */
final class CertCommandsTest {
  private static final Instant BEGIN = Instant.parse("2026-03-01T12:00:00Z");

  @TempDir
  Path directory;
  private FerryRun ferry;
  private String pki;

  @BeforeEach
  void start() {
    // No coordinator: none may be asked.
    ferry = new FerryRun();
    ferry.now = BEGIN;
    pki = directory.resolve("pki").toString();
  }

  private int run(String command) {
    List<String> words = new ArrayList<>(List.of(command.split(" ")));
    words.addAll(List.of("--dir", pki));
    return ferry.run(words.toArray(String[]::new));
  }

  private void init(String more) {
    assertThat(run("cert init --cluster north --host host-a --coordinator-name one --operator alice" + more))
        .as(ferry.err()).isZero();
  }

  private Path file(String name) {
    return Path.of(pki, name);
  }

  private X509Certificate certificate(String name) throws IOException {
    return PemFiles.certificates(file(name)).getFirst();
  }

  private JsonObject only() {
    assertThat(ferry.out()).startsWith("{\n");
    return JsonParser.parseString(ferry.out()).getAsJsonObject().getAsJsonArray("certificates").asList().getFirst()
        .getAsJsonObject();
  }

  @Test
  void anAuthorityIsMadeWithItsMembersInOneRun() throws Exception {
    init(" --host host-b --viewer bob --metrics prometheus");
    assertThat(ferry.outLines()).hasSize(7).first().asString().startsWith("MEMBER");
    assertThat(ferry.outLines()).anyMatch(each -> each
        .matches("coordinator/one +2027-03-01 +" + file("coordinator/one.crt")));
    assertThat(ferry.err()).hasLineCount(1).contains("keep " + file("ca.key") + " away from hosts");
    X509Certificate host = certificate("host/host-b.crt");
    assertThat(Member.of(host)).isEqualTo(new Member("north", Role.HOST, "host-b"));
    host.verify(certificate("ca.crt").getPublicKey());
    assertThat(certificate("ca.crt").getNotAfter().toInstant()).isEqualTo(BEGIN.plus(Duration.ofDays(3650)));
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file("operator/alice.key"))))
        .isEqualTo("rw-------");
  }

  @Test
  void anAuthorityIsNeverReplaced() throws Exception {
    init("");
    X509Certificate before = certificate("ca.crt");
    assertThat(run("cert init --cluster south")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).hasLineCount(1).contains(file("ca.crt") + " exists already");
    assertThat(certificate("ca.crt")).isEqualTo(before);
  }

  @Test
  void oneNameTwiceIsOneMember() {
    init(" --host host-a");
    assertThat(ferry.outLines()).hasSize(4);
  }

  @Test
  void moreMembersAreCertifiedForTheClusterOfTheAuthority() throws Exception {
    init("");
    for (String role : List.of("host", "coordinator", "operator", "viewer", "metrics")) {
      assertThat(run("cert " + role + " x y --days 7")).as(ferry.err()).isZero();
      X509Certificate certificate = certificate(role + "/y.crt");
      assertThat(Member.of(certificate).uri()).isEqualTo("spiffe://north/%s/y".formatted(role));
      assertThat(certificate.getNotAfter().toInstant()).isEqualTo(BEGIN.plus(Duration.ofDays(7)));
      assertThat(ferry.err()).isEmpty();
    }
  }

  @Test
  void aMemberThatHasACertificateIsRefusedBeforeAnyIsCertified() throws Exception {
    init("");
    X509Certificate before = certificate("host/host-a.crt");
    assertThat(run("cert host host-b host-a")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).isEqualTo("ferry: host host-a has a certificate already, %s; use 'ferry cert renew %s'\n"
        .formatted(file("host/host-a.crt"), "host/host-a"));
    assertThat(certificate("host/host-a.crt")).isEqualTo(before);
    assertThat(file("host/host-b.crt")).doesNotExist();
  }

  @Test
  void withoutAnAuthorityNothingIsCertified() {
    assertThat(run("cert host host-a")).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(ferry.err()).isEqualTo(
        "ferry: there is no %s; name the authority's folder with --dir, or make one with 'ferry cert init'\n"
            .formatted(file("ca.crt")));
  }

  @Test
  void jsonNamesTheFilesOfEachMember() {
    init("");
    assertThat(run("cert host host-b -o json")).isZero();
    JsonObject made = only();
    assertThat(made.keySet()).containsExactly("member", "cluster", "certificate", "key", "authorities", "notBefore",
        "notAfter", "authority");
    assertThat(made.get("member").getAsString()).isEqualTo("host/host-b");
    assertThat(made.get("cluster").getAsString()).isEqualTo("north");
    assertThat(made.get("certificate").getAsString()).isEqualTo(file("host/host-b.crt").toString());
    assertThat(made.get("key").getAsString()).isEqualTo(file("host/host-b.key").toString());
    assertThat(made.get("authorities").getAsString()).isEqualTo(file("ca.crt").toString());
    assertThat(made.get("notAfter").getAsString()).isEqualTo("2027-03-01T12:00:00Z");
    assertThat(run("cert host host-c host-d -o name")).isZero();
    assertThat(ferry.out()).isEqualTo("host/host-c\nhost/host-d\n");
  }

  @Test
  void onlyWhatEndsSoonIsRenewedAndWithANewKey() throws Exception {
    init("");
    assertThat(run("cert renew")).isZero();
    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err()).isEqualTo("no certificate ends within 30 days; there is nothing to renew\n");
    assertThat(run("cert renew -o json -q")).isZero();
    assertThat(ferry.out().replaceAll("\\s", "")).isEqualTo("{\"certificates\":[]}");

    assertThat(run("cert host host-b --days 40")).isZero();
    X509Certificate before = certificate("host/host-b.crt");
    ferry.now = BEGIN.plus(Duration.ofDays(10));
    assertThat(run("cert renew -o name --days 100")).isZero();
    assertThat(ferry.out()).isEqualTo("host/host-b\n");
    X509Certificate after = certificate("host/host-b.crt");
    assertThat(after.getNotAfter().toInstant()).isEqualTo(ferry.now.plus(Duration.ofDays(100)));
    assertThat(after.getPublicKey()).isNotEqualTo(before.getPublicKey());
    assertThat(PemFiles.belong(PemFiles.key(file("host/host-b.key")), after.getPublicKey())).isTrue();
    assertThat(run("cert renew -o name --within 356")).isZero();
    assertThat(ferry.outLines()).containsExactly("host/host-a", "host/host-b", "coordinator/one", "operator/alice");
  }

  @Test
  void whoIsNamedIsRenewedWheneverItEnds() throws Exception {
    init("");
    assertThat(run("cert renew operator/alice -o name --days 1000")).isZero();
    assertThat(ferry.out()).isEqualTo("operator/alice\n");
    assertThat(certificate("operator/alice.crt").getNotAfter().toInstant())
        .isEqualTo(BEGIN.plus(Duration.ofDays(1000)));
    assertThat(run("cert renew operator/alice host/host-z")).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(ferry.err()).hasLineCount(1).startsWith("ferry: host host-z has no certificate to renew")
        .endsWith("there are: host/host-a, coordinator/one, operator/alice\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"init", "init --cluster a/b", "init --cluster north --host ../x", "host", "host a/b",
      "host x --days 0", "host x --days 99999", "renew alice", "renew king/alice", "renew operator/alice --within 3",
      "show", "init --cluster north --days many"})
  void whatIsNotUnderstoodIsWrongUsageAndMakesNothing(String command) throws IOException {
    if (!command.startsWith("init")) {
      init("");
    }
    List<Path> before = files();
    assertThat(run("cert " + command)).as(ferry.err()).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).startsWith("ferry: ").hasLineCount(1);
    assertThat(files()).isEqualTo(before);
  }

  private List<Path> files() throws IOException {
    try (var all = Files.walk(directory)) {
      return all.sorted().toList();
    }
  }

  @Test
  void noCertificateOutlivesItsAuthority() throws Exception {
    init(" --days 100");
    assertThat(certificate("host/host-a.crt").getNotAfter()).isEqualTo(certificate("ca.crt").getNotAfter());
    assertThat(ferry.err()).contains("these certificates end on 2026-06-09, with that of their authority");
    ferry.now = BEGIN.plus(Duration.ofDays(80));
    assertThat(run("cert host host-b --days 5")).isZero();
    assertThat(ferry.err()).hasLineCount(1).contains("warning: the authority", "ends on 2026-06-09");
    ferry.now = BEGIN.plus(Duration.ofDays(101));
    assertThat(run("cert renew")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).hasLineCount(1).contains("has expired on 2026-06-09");
  }

  @Test
  void certificatesAreShownWithWhomTheyNameAndUntilWhen() throws Exception {
    init("");
    ferry.now = BEGIN.plus(Duration.ofDays(1));
    String host = file("host/host-a.crt").toString();
    String authority = file("ca.crt").toString();
    assertThat(ferry.run("cert", "show", host, authority)).as(ferry.err()).isZero();
    assertThat(ferry.outLines().get(1)).startsWith("host/host-a").contains("north", "2026-03-01", "2027-03-01", "364",
        "CN=north authority", host);
    assertThat(ferry.outLines().get(2)).startsWith("authority of north").contains("3649");
    assertThat(ferry.run("cert", "show", host, "-o", "json")).isZero();
    assertThat(only().get("notBefore").getAsString()).isEqualTo("2026-03-01T11:50:00Z");
    assertThat(only().has("key")).isFalse();

    assertThat(ferry.run("cert", "show", file("host/host-a.key").toString())).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).isEqualTo("ferry: %s has no certificate (PEM)\n".formatted(file("host/host-a.key")));
    assertThat(ferry.run("cert", "show", "/does/not/exist")).isEqualTo(ExitCode.NOT_FOUND);
  }

  @Test
  void aFolderThatCannotBeWrittenIsAFailureInOneLine() throws IOException {
    Files.writeString(directory.resolve("pki"), "a file where the folder should be");
    assertThat(run("cert init --cluster north")).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).startsWith("ferry: ").hasLineCount(1);
  }

  @Test
  void whatIsCertifiedIsWhatTheCommandAsksTheCoordinatorWith() throws Exception {
    ferry.now = Instant.now();
    init("");
    assertThat(ferry.run("host", "list", "--coordinator", "127.0.0.1:1", "--tls-cert",
        file("operator/alice.crt").toString(), "--tls-key", file("operator/alice.key").toString(), "--tls-ca",
        file("ca.crt").toString())).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).hasLineCount(1).contains("Connection refused");
  }
}
