package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clusters by name. */
final class ContextTest {
  @TempDir
  Path home;
  private FakeCluster north;
  private FakeCluster south;
  private MemberFiles operator;
  private FerryRun ferry;

  @BeforeEach
  void start() throws IOException {
    TestAuthority authority = new TestAuthority(home.resolve("pki"));
    operator = authority.operator();
    north = cluster(new FakeCluster(authority.coordinator()), "north-host");
    south = cluster(new FakeCluster(), "south-host");
    ferry = new FerryRun();
    ferry.environment.put("HOME", home.toString());
  }

  private static FakeCluster cluster(FakeCluster cluster, String host) {
    cluster.answer("ListHosts", ListHostsResponse.newBuilder().addHosts(Samples.HOST.toBuilder().setId(host)).build());
    return cluster;
  }

  @AfterEach
  void stop() {
    north.close();
    south.close();
  }

  private Path file() {
    return home.resolve(".config/ferry/config.yaml");
  }

  private void write(String text) throws IOException {
    Files.createDirectories(file().getParent());
    Files.writeString(file(), text);
  }

  private void setBoth() {
    assertThat(ferry.run("context", "set", "north", "--coordinator", north.address(), "--tls-cert",
        operator.certificate().toString(), "--tls-key", operator.key().toString(), "--tls-ca",
        operator.authorities().toString())).as(ferry.err()).isZero();
    assertThat(ferry.run("context", "set", "south", "--coordinator", south.address())).isZero();
  }

  private void assertAsks(String host, String... more) {
    String[] args = new String[4 + more.length];
    System.arraycopy(new String[]{"host", "list", "-o", "name"}, 0, args, 0, 4);
    System.arraycopy(more, 0, args, 4, more.length);
    assertThat(ferry.run(args)).as(ferry.err()).isZero();
    assertThat(ferry.out()).isEqualTo(host + "\n");
  }

  @Test
  void theFirstContextCountsUntilAnotherIsUsed() throws IOException {
    setBoth();
    assertAsks("north-host");
    assertThat(ferry.run("context", "use", "south")).isZero();
    assertThat(ferry.err()).isEqualTo("context south is used from now on\n");
    assertAsks("south-host");
    assertThat(Files.readString(file())).isEqualTo("""
        contexts:
          north:
            coordinator: %s
            tls-cert: %s
            tls-key: %s
            tls-ca: %s
          south:
            coordinator: %s
        context: south
        """.formatted(north.address(), operator.certificate(), operator.key(), operator.authorities(),
        south.address()));
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file()))).isEqualTo("rw-------");
  }

  @Test
  void aFlagWinsOverTheVariableWhichWinsOverTheFile() {
    setBoth();
    ferry.environment.put("FERRY_CONTEXT", "south");
    assertAsks("south-host");
    assertAsks("north-host", "--context", "north");
    assertThat(ferry.run("context", "use", "north")).isZero();
    assertThat(ferry.err()).contains("warning: FERRY_CONTEXT is 'south', and wins over it");
    ferry.environment.put("FERRY_CONTEXT", "");
    assertThat(ferry.run("host", "list")).as("none is chosen").isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).contains("127.0.0.1:7400");
  }

  @Test
  void eachSettingComesFromAFlagThenTheVariableThenTheContextThenTheRestOfTheFile() throws IOException {
    write("""
        coordinator: 127.0.0.1:1
        tls-ca: ../../pki/ca.crt
        context: north
        contexts:
          north:
            coordinator: %s
            tls-cert: ../../pki/operator/alice.crt
            tls-key: ../../pki/operator/alice.key
          rest: {}
        """.formatted(north.address()));
    assertAsks("north-host");
    ferry.environment.put("FERRY_COORDINATOR", "127.0.0.1:2");
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).contains("127.0.0.1:2;");
    assertAsks("north-host", "--coordinator", north.address());
    // A context that is named is meant, whatever the variables say.
    assertAsks("north-host", "--context", "north");
    ferry.environment.clear();
    ferry.environment.put("HOME", home.toString());
    Files.writeString(file(), Files.readString(file()).replace("tls-ca: ../../pki/ca.crt\n", ""));
    assertThat(ferry.run("host", "list", "--context", "rest")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.err()).contains("127.0.0.1:1;");
  }

  @Test
  void anUnknownContextIsNotFoundAndTheOthersAreNamed() {
    assertThat(ferry.run("host", "list", "--context", "nrth")).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(ferry.err()).isEqualTo("ferry: there is no context 'nrth' in %s; there are none; %s\n".formatted(file(),
        "make one with 'ferry context set'"));
    setBoth();
    for (String[] each : new String[][]{{"host", "list", "--context", "nrth"}, {"context", "use", "nrth"},
        {"context", "delete", "nrth"}}) {
      assertThat(ferry.run(each)).isEqualTo(ExitCode.NOT_FOUND);
      assertThat(ferry.err()).hasLineCount(1).contains("there are: north, south");
    }
  }

  @Test
  void contextsAreListedWithAMarkAtTheOneThatCounts() {
    assertThat(ferry.run("context", "list", "-o", "json")).isZero();
    assertThat(ferry.out().replaceAll("\\s", "")).isEqualTo("{\"contexts\":[]}");
    setBoth();
    assertThat(ferry.run("context", "list")).isZero();
    assertThat(ferry.outLines()).hasSize(3).first().asString().matches("CURRENT +NAME +COORDINATOR +CERTIFICATE");
    assertThat(ferry.outLines().get(1)).matches("\\* +north +%s +%s".formatted(north.address(),
        operator.certificate()));
    assertThat(ferry.outLines().get(2)).matches(" +south +%s +-".formatted(south.address()));
    assertThat(ferry.run("context", "list", "-o", "json", "--context", "south")).isZero();
    assertThat(ferry.out().replaceAll("\\s", "")).endsWith(
        ",{\"name\":\"south\",\"coordinator\":\"%s\",\"tlsCert\":\"\",\"tlsKey\":\"\",\"tlsCa\":\"\",\"current\":true}]}"
            .formatted(south.address()))
        .startsWith("{\"contexts\":[{\"name\":\"north\",").contains("\"current\":false},");
    ferry.run("context", "list", "-o", "name");
    assertThat(ferry.out()).isEqualTo("north\nsouth\n");
  }

  @Test
  void aContextIsChangedInWhatIsGivenAndOtherSettingsStay() throws IOException {
    write("""
        # Mine.
        output: name
        quiet: "true"
        contexts: {north: {coordinator: '10.0.0.1:7400'}, south: {coordinator: 10.0.0.2:7400}}
        context: south
        """);
    assertThat(ferry.run("context", "set", "north", "--coordinator", north.address())).as(ferry.err()).isZero();
    assertThat(Files.readString(file())).contains("# Mine.\n", "output: name\n", "quiet: \"true\"\n", "10.0.0.2:7400",
        "coordinator: " + north.address(), "context: south\n").doesNotContain("10.0.0.1");
    assertThat(ferry.run("context", "list", "-q")).isZero();
  }

  @Test
  void relativePathsAreStoredAsAbsoluteOnes() throws IOException {
    assertThat(ferry.run("context", "set", "north", "--tls-cert", "a.crt", "--tls-key", "b.key", "--tls-ca",
        "c.crt")).isZero();
    assertThat(Files.readString(file())).contains("tls-cert: " + Path.of("a.crt").toAbsolutePath());
  }

  @Test
  void aDeletedContextIsForgottenAndNoneIsUsedInItsPlace() throws IOException {
    setBoth();
    assertThat(ferry.run("context", "delete", "north")).isZero();
    assertThat(ferry.err()).startsWith("context north deleted; none is used from now on");
    assertThat(Files.readString(file())).doesNotContain("north", "context:");
    assertThat(ferry.run("context", "delete", "south")).isZero();
    assertThat(file()).isEmptyFile();
    assertThat(operator.key()).exists();
  }

  @Test
  void aContextThatIsGoneDoesNotHinderTheChoiceOfAnother() throws IOException {
    write("context: gone\ncontexts:\n  south:\n    coordinator: %s\n".formatted(south.address()));
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.NOT_FOUND);
    assertThat(ferry.run("context", "list")).isZero();
    assertThat(ferry.err()).startsWith("warning: there is no context 'gone'");
    assertThat(ferry.run("context", "use", "south")).isZero();
    assertAsks("south-host");
  }

  @Test
  void aFileBehindALinkIsReplacedAndTheLinkStays() throws IOException {
    Path kept = Files.writeString(home.resolve("dotfile.yaml"), "output: json\n");
    Files.createDirectories(file().getParent());
    Files.createSymbolicLink(file(), kept);
    setBoth();
    assertThat(file()).isSymbolicLink();
    assertThat(kept).content().startsWith("output: json\n").contains("north:");
  }

  @Test
  void problemsOfContextsAreReportedTogetherAndNothingIsWritten() throws IOException {
    String wrong = "cntext: north\ncontexts:\n  north:\n    cordinator: 10.0.0.1:7400\n  south: 7\n";
    write(wrong);
    for (String[] each : new String[][]{{"host", "list"}, {"context", "set", "x", "--coordinator", "10.0.0.1:1"}}) {
      assertThat(ferry.run(each)).isEqualTo(ExitCode.USAGE);
      assertThat(ferry.err()).hasLineCount(1).contains("unknown setting 'cntext'; did you mean 'context'?",
          file() + ": contexts.north: unknown setting 'cordinator'; did you mean 'coordinator'?",
          file() + ": contexts.south: not a mapping of settings to values");
    }
    assertThat(file()).hasContent(wrong);
  }

  @ParameterizedTest
  @ValueSource(strings = {"set", "set north", "set a/b --coordinator 10.0.0.1:1", "set north --coordinator nowhere",
      "set north --coordinator 10.0.0.1:0", "set north --tls-cert me.crt", "use", "delete", "drop north"})
  void whatIsNotUnderstoodIsWrongUsageAndWritesNothing(String command) {
    assertThat(ferry.run(("context " + command).split(" "))).as(ferry.err()).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).startsWith("ferry: ").hasLineCount(1);
    assertThat(file()).doesNotExist();
  }

  @Test
  void withoutAHomeDirectoryTheFileHasToBeNamed() {
    ferry.environment.clear();
    assertThat(ferry.run("context", "set", "south", "--coordinator", south.address())).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains("--config");
    Path file = home.resolve("new/ferry.yaml");
    assertThat(ferry.run("context", "set", "south", "--coordinator", south.address(), "--config", file.toString()))
        .isEqualTo(ExitCode.DONE);
    assertAsks("south-host", "--config", file.toString());
  }
}
