package dev.pageferry.benchmark;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;

/** One TCP stream over loopback, both ends iperf3. */
final class Iperf3 {
  static final String PROGRAM = "iperf3";
  private static final int RUNS = 3;
  private static final int CONNECT_TRIES = 50;
  private static final Duration BETWEEN_TRIES = Duration.ofMillis(100);

  private final Children children;

  Iperf3(Children children) {
    this.children = children;
  }

  static boolean installed() {
    return Children.installed(PROGRAM);
  }

  /**
   * Bytes per second as counted at the receiver.
   *
   * @param options of the client, beside the usual ones
   */
  double bytesPerSecond(int seconds, String... options) {
    for (int i = 1; i < RUNS; i++) {
      OptionalDouble measured = measure(seconds, options);
      if (measured.isPresent()) {
        return measured.getAsDouble();
      }
    }
    return measure(seconds, options)
        .orElseThrow(() -> new BenchmarkException(PROGRAM + " reported no figure in " + RUNS + " runs"));
  }

  /** Empty where the two ends did not exchange their results, which happens now and then. */
  private OptionalDouble measure(int seconds, String... options) {
    String port = Integer.toString(Children.freePort());
    List<String> server = List.of(PROGRAM, "-s", "-1", "-B", "127.0.0.1", "-p", port);
    List<String> client = new ArrayList<>(
        List.of(PROGRAM, "-c", "127.0.0.1", "-p", port, "-l", "1M", "-t", Integer.toString(seconds), "-J"));
    client.addAll(List.of(options));
    try (Children.Running listening = children.start(server)) {
      for (int i = 0; i < CONNECT_TRIES && listening.process().isAlive(); i++) {
        Children.Result result = children.run(Duration.ofSeconds(seconds + 30L), client);
        JsonObject report = JsonParser.parseString(result.output()).getAsJsonObject();
        if (result.exitCode() == 0) {
          JsonObject received = report.getAsJsonObject("end").getAsJsonObject("sum_received");
          return received == null
              ? OptionalDouble.empty()
              : OptionalDouble.of(received.get("bits_per_second").getAsDouble() / 8);
        }
        String error = report.has("error") ? report.get("error").getAsString() : result.complaint();
        if (!error.contains("Connection refused")) {
          throw new BenchmarkException(PROGRAM + ": " + error);
        }
        Thread.sleep(BETWEEN_TRIES);
      }
      throw new BenchmarkException(PROGRAM + " server does not listen: " + listening.said());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }
}
