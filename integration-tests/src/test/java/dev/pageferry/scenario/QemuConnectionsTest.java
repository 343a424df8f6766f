package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.pageferry.support.CommandResult;
import dev.pageferry.support.Download;
import dev.pageferry.support.LinuxGuest;
import dev.pageferry.support.NamespaceLab;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Two stacks of Linux talk over TCP while one of them moves: that of this kernel, through its VXLAN device, and that of another guest. */
class QemuConnectionsTest {
  /** Less than the 256 that the promise is about: most of such a run's time is the download. */
  private static final int FILE_MIB = Integer.getInteger("pageferry.qemu.download", 24);
  private static final int BYTES_PER_SECOND = 10 << 20;
  private static final Duration BOOT = Duration.ofMinutes(3);
  private static final Duration END = Duration.ofMinutes(4);
  /** Each look is a process of its own, which takes the guests' processors. */
  private static final Duration LOOK = Duration.ofSeconds(1);
  private static final Pattern REPLY = Pattern.compile("(?m)^\\[(\\d+\\.\\d+)\\] \\d+ bytes from");
  private static final Pattern SHA256 = Pattern.compile("(?m)^downloaded ([0-9a-f]{64})\\s*$");

  private static LinuxGuest linux;

  @BeforeAll
  static void require() throws Exception {
    Optional<String> obstacle = NamespaceLab.obstacle();
    assumeTrue(obstacle.isEmpty(), "SKIPPED: " + obstacle.orElse(""));
    linux = LinuxGuest.orSkip();
  }

  @Test
  void downloadsAndASilentConnectionGoOnWhileTheGuestThatServesThemMovesLiveAndQuickly() throws Exception {
    try (NamespaceLab lab = NamespaceLab.forMachines("2GiB")) {
      lab.joinByVxlan("client", 7, "10.97.0.9/24");
      done(lab.ferry(linux.createOf(2 * FILE_MIB + 192 + "MiB", "web", "host-a", "--append",
          "console=ttyS0 ferry.ip=10.97.0.5/24 ferry.file=" + FILE_MIB, "--nic", "02:00:00:00:00:05@7")));
      awaitConsole(lab, "web", "count 1");
      done(lab.ferry(linux.create("reader", "host-b", "--append",
          "console=ttyS0 ferry.ip=10.97.0.6/24 ferry.download=10.97.0.5", "--nic", "02:00:00:00:00:06@7")));
      awaitConsole(lab, "reader", "downloading");

      Process ping = lab.startIn("client", List.of("ping", "-D", "-i", "0.01", "-w", "600", "10.97.0.5"));
      CompletableFuture<String> replies = CompletableFuture.supplyAsync(() -> textOf(ping));
      try (Client client = new Client(lab)) {
        String expected = client.next().replace("expected ", "");
        assertThat(client.next()).isEqualTo("downloading " + (FILE_MIB << 20));
        for (String to : List.of("host-b", "host-a", "host-b")) {
          done(lab.ferry("migrate", "live", "web", "--to", to));
        }
        done(lab.ferry("migrate", "quick", "web", "--to", "host-a"));
        client.finish();
        assertThat(client.next()).isEqualTo("nearly there");
        assertThat(client.next()).isEqualTo("downloaded " + expected);
        assertThat(client.next()).isEqualTo("the silent one answers");
        assertThat(downloadedByGuest(lab)).isEqualTo(expected);
      } finally {
        ping.destroy();
      }
      System.out.printf(
          "longest time without an answer to ping, every 10 ms, over 3 live moves and a quick one: %.0f ms%n",
          longestGapMillis(replies.get()));
    }
  }

  private static void done(CommandResult result) {
    assertThat(result.exitCode()).as(result.errors()).isZero();
  }

  private static String console(NamespaceLab lab, String vm) throws Exception {
    return lab.ferry("vm", "console", vm, "--log").output();
  }

  private static void awaitConsole(NamespaceLab lab, String vm, String text) {
    await(text).atMost(BOOT).pollInterval(LOOK).until(() -> console(lab, vm).contains(text));
  }

  private static String downloadedByGuest(NamespaceLab lab) {
    return await("the other guest has the file").atMost(END).pollInterval(LOOK)
        .until(() -> SHA256.matcher(console(lab, "reader")).results().map(each -> each.group(1)).findFirst(),
            Optional::isPresent)
        .orElseThrow();
  }

  private static String textOf(Process process) {
    try {
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      return "";
    }
  }

  private static double longestGapMillis(String replies) {
    Matcher reply = REPLY.matcher(replies);
    double longest = 0;
    double last = Double.NaN;
    while (reply.find()) {
      double at = Double.parseDouble(reply.group(1));
      longest = Double.isNaN(last) ? 0 : Math.max(longest, at - last);
      last = at;
    }
    return longest * 1e3;
  }

  /** {@link Download}, where the network of VMs is. */
  private static final class Client implements AutoCloseable {
    private final Process process;
    private final BufferedReader says;

    Client(NamespaceLab lab) throws IOException {
      process = lab.startIn("client", List.of(System.getProperty("java.home") + "/bin/java", "-cp",
          System.getProperty("java.class.path"), Download.class.getName(), "10.97.0.5",
          String.valueOf(BYTES_PER_SECOND)));
      says = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    /** The next that it says; it ends by itself where a connection does. */
    String next() throws IOException {
      return Objects.requireNonNullElse(says.readLine(), "it has ended");
    }

    void finish() throws IOException {
      process.getOutputStream().write('\n');
      process.getOutputStream().flush();
    }

    @Override
    public void close() {
      process.destroyForcibly();
    }
  }
}
