package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.DebianPackages;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The units of packages, as systemd reads them. */
class ServiceUnitsTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Map<String, Path> UNITS = Map.of(
      "ferry-agent.service", ROOT.resolve("agent/src/main/deb/ferry-agent.service"),
      "ferry-coordinator.service", ROOT.resolve("coordinator/server/src/main/deb/ferry-coordinator.service"));
  private static final Pattern EXPOSURE = Pattern.compile("Overall exposure level for \\S+: (\\d+\\.\\d+)");

  @TempDir
  Path directory;

  @BeforeEach
  void findSystemd() {
    assumeTrue(DebianPackages.isInstalled("systemd-analyze"),
        "systemd-analyze is not installed: units are not checked");
  }

  private CommandResult analyze(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("systemd-analyze"));
    command.addAll(List.of(arguments));
    return CommandResult.of(command, Map.of("SYSTEMD_COLORS", "0"));
  }

  @Test
  void unitsAndTheirDropInsAreUnderstood() throws Exception {
    for (Map.Entry<String, Path> each : UNITS.entrySet()) {
      // The programs are not installed here.
      Path unit = Files.writeString(directory.resolve(each.getKey()),
          Files.readString(each.getValue()).replaceAll("ExecStart=\\S+", "ExecStart=/bin/sh"));
      if (each.getKey().equals("ferry-agent.service")) {
        Path dropIns = Files.createDirectory(directory.resolve(each.getKey() + ".d"));
        for (String example : List.of("uplink.conf", "storage.conf")) {
          Files.copy(ROOT.resolve("agent/src/main/deb").resolve(example), dropIns.resolve(example));
        }
      }
      CommandResult verified = analyze("verify", "--man=no", unit.toString());
      assertThat(verified.output() + verified.errors()).as(each.getKey()).doesNotContain(each.getKey())
          .doesNotContain(".conf:");
      assertThat(verified.exitCode()).as(verified.toString()).isZero();
    }
  }

  @Test
  void unitsLetServersDoLittleBesideTheirWork() throws Exception {
    for (Map.Entry<String, Path> each : UNITS.entrySet()) {
      CommandResult rated = analyze("security", "--offline=true", "--no-pager", each.getValue().toString());
      Matcher level = EXPOSURE.matcher(rated.output());
      assertThat(level.find()).as(rated.toString()).isTrue();
      assertThat(Double.parseDouble(level.group(1))).as(each.getKey()).isLessThan(2.6);
    }
  }

  @Test
  void anAgentThatEndsTakesNoQemuAlongAndIsNotStartedWhereItsPlaceWasGivenAway() throws Exception {
    assertThat(Files.readAllLines(UNITS.get("ferry-agent.service"))).contains("KillMode=process",
        "RuntimeDirectoryPreserve=yes", "SuccessExitStatus=143", "RestartPreventExitStatus=2 3",
        "CapabilityBoundingSet=");
  }
}
