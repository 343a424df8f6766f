package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the command takes its settings from, and what it tells of itself. */
final class SettingsTest {
  @TempDir
  Path home;
  private FakeCluster cluster;
  private FerryRun ferry;

  @BeforeEach
  void start() throws IOException {
    cluster = new FakeCluster();
    cluster.answer("ListHosts",
        ListHostsResponse.newBuilder().addHosts(Samples.HOST).setCoordinatorVersion("0.1.9").build());
    ferry = new FerryRun(cluster);
    ferry.environment.clear();
    ferry.environment.put("HOME", home.toString());
  }

  @AfterEach
  void stop() {
    cluster.close();
  }

  private Path write(Path file) throws IOException {
    Files.createDirectories(file.getParent());
    return Files.writeString(file, "coordinator: %s\noutput: name\n".formatted(cluster.address()));
  }

  @Test
  void theFileInTheHomeDirectoryIsRead() throws IOException {
    write(home.resolve(".config/ferry/config.yaml"));
    assertThat(ferry.run("host", "list")).isZero();
    assertThat(ferry.out()).isEqualTo("host-a\n");
  }

  @Test
  void anotherFolderOfConfigurationsComesBeforeTheHomeDirectory() throws IOException {
    write(home.resolve("xdg/ferry/config.yaml"));
    ferry.environment.put("XDG_CONFIG_HOME", home.resolve("xdg").toString());
    assertThat(ferry.run("host", "list")).isZero();
    assertThat(ferry.out()).isEqualTo("host-a\n");
  }

  @Test
  void theFileThatTheVariableNamesComesBeforeBothAndMustBeThere() throws IOException {
    write(home.resolve(".config/ferry/config.yaml"));
    Path named = home.resolve("named.yaml");
    ferry.environment.put("FERRY_CONFIG", named.toString());
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains(named.toString());
    write(named);
    assertThat(ferry.run("host", "list")).isZero();
    assertThat(ferry.run("host", "list", "--config", home.resolve("missing").toString())).isEqualTo(ExitCode.USAGE);
  }

  @Test
  void aMisspeltVariableIsReportedAndOthersAreNot() {
    ferry.environment.put("FERRY_COORDINATOR", cluster.address());
    ferry.environment.put("FERRY_LOG_LEVEL", "DEBUG");
    ferry.environment.put("FERRY_OPTS", "-Xmx64m");
    assertThat(ferry.run("host", "list")).isZero();
    ferry.environment.put("FERRY_CORDINATOR", cluster.address());
    assertThat(ferry.run("host", "list")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err())
        .isEqualTo("ferry: FERRY_CORDINATOR is not a setting; did you mean FERRY_COORDINATOR?; see 'ferry --help'\n");
  }

  @Test
  void versionsOfAllPartsAreShown() {
    ferry.environment.put("FERRY_COORDINATOR", cluster.address());
    assertThat(ferry.run("version")).isZero();
    assertThat(ferry.outLines()).containsExactly(
        "ferry:        dev (cannot be compared with the coordinator's version)",
        "coordinator:  0.1.9",
        "host-a:       0.1.0 (works with the coordinator's version; upgrade the older one)");
    assertThat(ferry.run("version", "-o", "json")).isZero();
    assertThat(ferry.out().replaceAll("\\s", "")).isEqualTo("{\"command\":\"dev\",\"coordinator\":\"0.1.9\",\"hosts\":"
        + "[{\"id\":\"host-a\",\"version\":\"0.1.0\",\"fit\":\"COMPATIBLE\"}],\"fit\":\"UNKNOWN\"}");
  }

  @Test
  void aCoordinatorOfTheVersionBeforeDoesNotTellItsVersion() {
    cluster.answer("ListHosts", ListHostsResponse.getDefaultInstance());
    ferry.environment.put("FERRY_COORDINATOR", cluster.address());
    assertThat(ferry.run("version", "-o", "json")).isZero();
    assertThat(ferry.out().replaceAll("\\s", ""))
        .isEqualTo("{\"command\":\"dev\",\"hosts\":[],\"fit\":\"UNKNOWN\"}");
  }

  @Test
  void withoutACoordinatorTheCommandStillTellsItsOwnVersion() {
    ferry.environment.put("FERRY_COORDINATOR", cluster.address());
    cluster.stop();
    String error = "ferry: cannot reach the coordinator at " + cluster.address()
        + "; Connection refused; start it, or name another with --coordinator\n";

    assertThat(ferry.run("version")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.out()).isEqualTo("ferry:  dev\n");
    assertThat(ferry.err()).isEqualTo(error);

    assertThat(ferry.run("version", "-o", "json")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.out().replaceAll("\\s", "")).isEqualTo("{\"command\":\"dev\",\"hosts\":[]}");
    assertThat(ferry.err()).isEqualTo(error);

    assertThat(ferry.run("version", "-o", "yaml")).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(ferry.out()).isEqualTo("command: dev\nhosts: []\n");
    assertThat(ferry.err()).isEqualTo(error);
  }

  @Test
  void whatAnErrorCameFromIsToldWhereItIsAskedFor() {
    cluster.refuse("ListHosts", Status.UNAVAILABLE.withDescription("gone"));
    ferry.environment.put("FERRY_COORDINATOR", cluster.address());
    ferry.run("host", "list");
    String error = ferry.err();
    assertThat(error).hasLineCount(1);

    ferry.run("host", "list", "-v");
    assertThat(ferry.err()).startsWith("cause: io.grpc.StatusRuntimeException: UNAVAILABLE: gone\n").endsWith(error);

    ferry.run("host", "list", "--debug");
    assertThat(ferry.err()).contains("\tat dev.pageferry.ferry.").endsWith(error);
  }

  @Test
  void completionKnowsAllCommands() {
    assertThat(ferry.run("completion", "bash")).isZero();
    assertThat(ferry.out()).startsWith("#!/usr/bin/env bash").contains("confirm-dead", "--downtime-limit",
        "ferry_vm_ping", "throttle", "vhd", "zstd", "yaml").doesNotContain("UNRECOGNIZED", "UNSPECIFIED");
    assertThat(ferry.run("completion", "zsh")).isZero();
    assertThat(ferry.out()).startsWith("#compdef ferry").contains("bashcompinit");
    assertThat(ferry.run("completion", "fish")).isEqualTo(ExitCode.USAGE);
  }
}
