package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.NamespaceLab;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Hosts with a card for management and one for migrations: what goes over which, and what a slow or a pulled cable does. */
class LabTest {
  private static final long MEBIBYTE = 1 << 20;
  private static final long MEMORY_BYTES = 64 * MEBIBYTE;
  /** At 100 Mbit/s that memory takes 5.4 s. */
  private static final Duration LEAST_AT_100_MBIT = Duration.ofSeconds(4);
  private static final Pattern HOST = Pattern.compile("(?m)^host: +(\\S+)$");
  private static final Pattern STEPS = Pattern.compile("(?m)^steps: +(\\d+)$");
  private static final Pattern PID = Pattern.compile(" ready +pid (\\d+) ");

  private static @Nullable NamespaceLab started;

  @BeforeAll
  static void start() throws Exception {
    Optional<String> obstacle = NamespaceLab.obstacle();
    assumeTrue(obstacle.isEmpty(), "SKIPPED: " + obstacle.orElse(""));
    started = NamespaceLab.of();
    byte[] content = new byte[Math.toIntExact(MEMORY_BYTES)];
    new Random(1).nextBytes(content);
    Path image = Files.write(lab().directory().resolve("image"), content);
    lab().done("ferry", "vm", "create", "web", "--host", "host-a", "--memory", "64MiB", "--memory-image",
        image.toString());
  }

  @AfterAll
  static void end() throws Exception {
    if (started != null) {
      started.close();
    }
  }

  private static NamespaceLab lab() {
    return Objects.requireNonNull(started);
  }

  private static String shown(Pattern what) throws Exception {
    String text = lab().done("ferry", "vm", "show", "web");
    Matcher matcher = what.matcher(text);
    assertThat(matcher.find()).as(text).isTrue();
    return matcher.group(1);
  }

  private static String source() throws Exception {
    return shown(HOST);
  }

  private static String destination() throws Exception {
    return "host-a".equals(source()) ? "host-b" : "host-a";
  }

  private static CommandResult move(String to) throws Exception {
    return lab().ferry("migrate", "live", "web", "--to", to);
  }

  private static void assertThatItMoves() throws Exception {
    String to = destination();
    CommandResult moved = move(to);
    assertThat(moved.exitCode()).as(moved.errors()).isZero();
    assertThat(source()).isEqualTo(to);
  }

  private static void assertThatItRunsOn(String host) throws Exception {
    assertThat(source()).isEqualTo(host);
    long before = Long.parseLong(shown(STEPS));
    await("the VM goes on").until(() -> Long.parseLong(shown(STEPS)) > before);
  }

  private static long bytes(String machine, String card, String direction) throws Exception {
    return Long.parseLong(
        lab().in(machine, "cat", "/sys/class/net/%s/statistics/%s_bytes".formatted(card, direction)).strip());
  }

  @Test
  void eachHostHasACardForManagementAndOneForMigrations() throws Exception {
    assertThat(lab().done("status").lines().map(line -> line.replaceAll(" +", " ")))
        .anyMatch(line -> line.matches("coordinator ready pid \\d+ management 10\\.98\\.0\\.254 log .*"))
        .anyMatch(line -> line.matches("host-a ready pid \\d+ management 10.98.0.1 migration 10.99.0.1 log .*"))
        .anyMatch(line -> line.matches("host-b ready pid \\d+ management 10.98.0.2 migration 10.99.0.2 log .*"))
        .anyMatch(line -> line.startsWith("client - pid - management 10.98.0.101 migration 10.99.0.101"));
    assertThat(lab().in("host-b", "ip", "-o", "-4", "addr", "show")).contains("management", "10.98.0.2/24", "migration",
        "10.99.0.2/24");
  }

  @Test
  void pagesOfAMoveCrossTheCardForMigrationsAlone() throws Exception {
    String source = source();
    String destination = destination();
    long migration = bytes(source, "migration", "tx");
    long received = bytes(destination, "migration", "rx");
    long management = bytes(source, "management", "tx");

    assertThatItMoves();

    assertThat(bytes(source, "migration", "tx") - migration).isGreaterThan(MEMORY_BYTES);
    assertThat(bytes(destination, "migration", "rx") - received).isGreaterThan(MEMORY_BYTES);
    assertThat(bytes(source, "management", "tx") - management).as("of orders, answers and heartbeats")
        .isLessThan(MEBIBYTE);
  }

  @Test
  void aLimitHoldsForMoves() throws Exception {
    String source = source();
    String slow = destination();
    lab().done("limit", slow, "migration", "100mbit");
    try {
      assertThat(lab().done("status")).containsPattern(slow + " .* migration [0-9.]+ \\(100Mbit\\) ");
      // Into that host, and out of it.
      for (String to : List.of(slow, source)) {
        long begin = System.nanoTime();
        CommandResult moved = move(to);
        assertThat(moved.exitCode()).as(moved.errors()).isZero();
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isGreaterThan(LEAST_AT_100_MBIT);
      }
    } finally {
      lab().done("limit", slow, "migration", "off");
    }
  }

  @Test
  void aVmStaysWhereItIsWhileACableForMigrationsIsPulledAndMovesAfterwards() throws Exception {
    String source = source();
    String destination = destination();
    for (String pulled : List.of(source, destination)) {
      lab().done("cut", pulled, "migration");
      try {
        assertThat(lab().done("status")).containsPattern(pulled + " .* migration [0-9.]+ \\(cut\\) ");
        CommandResult refused = move(destination);
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.errors()).contains("DESTINATION_UNREACHABLE");
        assertThatItRunsOn(source);
      } finally {
        lab().done("mend", pulled, "migration");
      }
    }
    assertThatItMoves();
    assertThat(lab().done("ferry", "vm", "verify", "web")).containsPattern("identical: +yes");
  }

  @Test
  void aVmGoesOnWhereACableIsPulledInTheMiddleOfItsMove() throws Exception {
    String source = source();
    String destination = destination();
    lab().done("limit", destination, "migration", "50mbit");
    try {
      long before = bytes(destination, "migration", "rx");
      CompletableFuture<CommandResult> move = CompletableFuture.supplyAsync(() -> {
        try {
          return move(destination);
        } catch (Exception e) {
          throw new IllegalStateException(e);
        }
      });
      await("some pages are there").until(() -> bytes(destination, "migration", "rx") > before + 4 * MEBIBYTE);
      lab().done("cut", destination, "migration");

      assertThat(move.get().exitCode()).as(move.get().output()).isEqualTo(1);
      assertThat(move.get().errors()).contains("DESTINATION_LOST");
      assertThatItRunsOn(source);
    } finally {
      lab().done("mend", destination, "migration");
      lab().done("limit", destination, "migration", "off");
    }
    // The destination hears by itself that the first move has failed, sooner or later than the source.
    await("it moves").atMost(Duration.ofSeconds(30)).until(() -> move(destination).exitCode() == 0);
    assertThatItRunsOn(destination);
  }

  @Test
  void aCableThatIsCutInOneDirectionLosesOnlyWhatGoesThatWay() throws Exception {
    assertThat(isAnswered("host-a", "10.99.0.2")).isTrue();
    try {
      lab().done("cut", "host-b", "migration", "out");
      assertThat(lab().done("status")).containsPattern("host-b .* migration [0-9.]+ \\(cut out\\) ");
      long received = bytes("host-b", "migration", "rx");
      assertThat(isAnswered("host-a", "10.99.0.2")).isFalse();
      assertThat(bytes("host-b", "migration", "rx")).as("what was sent to it").isGreaterThan(received);
      lab().done("mend", "host-b", "migration");
      assertThat(isAnswered("host-a", "10.99.0.2")).isTrue();

      lab().done("cut", "host-b", "migration", "in");
      assertThat(lab().done("status")).containsPattern("host-b .* migration [0-9.]+ \\(cut in\\) ");
      received = bytes("host-b", "migration", "rx");
      long receivedByOther = bytes("host-a", "migration", "rx");
      assertThat(isAnswered("host-b", "10.99.0.1")).isFalse();
      assertThat(bytes("host-b", "migration", "rx")).as("what was sent to it").isEqualTo(received);
      assertThat(bytes("host-a", "migration", "rx")).as("what it sent").isGreaterThan(receivedByOther);
    } finally {
      lab().done("mend", "host-b", "migration");
    }
    assertThat(isAnswered("host-b", "10.99.0.1")).isTrue();
    assertThat(lab().run("cut", "host-b", "migration", "sideways").exitCode()).isEqualTo(2);
  }

  private static boolean isAnswered(String machine, String address) throws Exception {
    return lab().run("exec", machine, "ping", "-c", "2", "-i", "0.2", "-W", "1", address).exitCode() == 0;
  }

  @Test
  void aHostThatLostItsPowerComesBack() throws Exception {
    String other = destination();
    lab().done("kill", other);
    assertThat(lab().done("status")).containsPattern(other + " +down +pid - ");
    lab().done("start", other);
    assertThatItMoves();
  }

  @Test
  void anotherLabIsApartAndLeavesNothing(@TempDir Path directory) throws Exception {
    List<String> before = namespaces();
    NamespaceLab other = NamespaceLab.beside();
    List<Long> processes = new ArrayList<>();
    Process left;
    try (other) {
      assertThat(other.done("ferry", "host", "list")).contains("host-a").doesNotContain("host-b");
      assertThat(lab().done("ferry", "host", "list")).contains("host-a").contains("host-b");
      CommandResult taken = CommandResult.of(
          List.of("../scripts/lab", "up", "--dir", directory.resolve("third").toString(), "--name", other.name()),
          Map.of());
      assertThat(taken.exitCode()).isEqualTo(1);
      assertThat(taken.errors()).contains(other.name() + "-switch is there already, and not from");
      PID.matcher(other.done("status")).results().forEach(each -> processes.add(Long.valueOf(each.group(1))));
      assertThat(processes).hasSize(2).allMatch(each -> ProcessHandle.of(each).isPresent());
      left = other.startIn("host-a", List.of("tail", "-f", "/dev/null"));
    }
    assertThat(left.waitFor(10, TimeUnit.SECONDS)).isTrue();
    // One that has ended is there until its parent has heard of it.
    await("the servers are gone").until(() -> processes.stream().noneMatch(each -> ProcessHandle.of(each).isPresent()));
    assertThat(namespaces()).isEqualTo(before);
    assertThat(Files.readString(Path.of("/proc/self/mountinfo"))).doesNotContain(other.name());
    try (Stream<Path> files = Files.list(Path.of("/dev/shm"))) {
      assertThat(files).noneMatch(each -> each.toString().contains(other.name()));
    }
    assertThat(other.done("down")).contains("nothing is left to remove");
    assertThat(other.done("status")).contains("no lab in");
  }

  /** Those of this process: others may test at the same time. */
  private static List<String> namespaces() throws Exception {
    return CommandResult.of(List.of("ip", "netns", "list"), Map.of()).output().lines()
        .filter(each -> each.startsWith(lab().name())).map(each -> each.split(" ")[0]).sorted().toList();
  }
}
