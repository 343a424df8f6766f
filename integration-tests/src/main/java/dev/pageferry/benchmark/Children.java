package dev.pageferry.benchmark;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Starts other programs and sees to their end. Their output goes through files: a program that
 * leaves daemons behind would keep a pipe open, and the reader would wait for ever.
 */
final class Children {
  private static final Duration POLITE = Duration.ofSeconds(5);

  private final CleanUp cleanUp;

  Children(CleanUp cleanUp) {
    this.cleanUp = cleanUp;
  }

  /** How a program ended; wallSeconds is from just before it was started until its end was seen. */
  record Result(int exitCode, String output, String errors, double wallSeconds) {
    /**
     * The last line of stderr, which by convention says what went wrong; the exit code when there is
     * none.
     */
    String complaint() {
      List<String> lines = errors.strip().lines().toList();
      return lines.isEmpty() ? "exit code " + exitCode : lines.getLast() + " (exit code " + exitCode + ")";
    }
  }

  /** A program that goes on until it is closed. */
  record Running(Process process, Path log, CleanUp.Owned owned) implements AutoCloseable {
    String said() {
      try {
        return Files.readString(log).strip();
      } catch (IOException e) {
        return "(no log: " + e.getMessage() + ")";
      }
    }

    @Override
    public void close() {
      owned.close();
    }
  }

  /**
   * Runs a program to its end.
   *
   * @throws BenchmarkException
   *           if it cannot be started or does not end within the limit; it is then stopped
   */
  Result run(Duration limit, List<String> words) {
    Path output = temporary(".out");
    Path errors = temporary(".err");
    try {
      long start = System.nanoTime();
      Process process = new ProcessBuilder(words).redirectInput(Redirect.from(new File("/dev/null")))
          .redirectOutput(output.toFile()).redirectError(errors.toFile()).start();
      try (CleanUp.Owned _ = cleanUp.own(() -> stop(process))) {
        if (!process.waitFor(limit.toNanos(), TimeUnit.NANOSECONDS)) {
          throw new BenchmarkException(String.join(" ", words) + ": not done after " + limit.toSeconds() + " s");
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        return new Result(process.exitValue(), Files.readString(output), Files.readString(errors), seconds);
      }
    } catch (IOException e) {
      throw new BenchmarkException(words.getFirst() + ": " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    } finally {
      delete(output);
      delete(errors);
    }
  }

  /** Starts a program whose end is its owner's matter; stdout and stderr go to one temporary file. */
  Running start(List<String> words) {
    Path log = temporary(".log");
    try {
      Process process = new ProcessBuilder(words).redirectInput(Redirect.from(new File("/dev/null")))
          .redirectErrorStream(true).redirectOutput(log.toFile()).start();
      return new Running(process, log, cleanUp.own(() -> {
        stop(process);
        delete(log);
      }));
    } catch (IOException e) {
      delete(log);
      throw new BenchmarkException(words.getFirst() + ": " + e.getMessage(), e);
    }
  }

  static boolean installed(String program) {
    String path = System.getenv().getOrDefault("PATH", "");
    return List.of(path.split(File.pathSeparator)).stream()
        .anyMatch(each -> Files.isExecutable(Path.of(each, program)));
  }

  /** A TCP port of 127.0.0.1 that was free a moment ago. */
  static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"))) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new BenchmarkException("no free port: " + e.getMessage(), e);
    }
  }

  private static void stop(Process process) {
    process.destroy();
    try {
      if (!process.waitFor(POLITE.toNanos(), TimeUnit.NANOSECONDS)) {
        process.destroyForcibly().waitFor(POLITE.toNanos(), TimeUnit.NANOSECONDS);
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }

  private static Path temporary(String suffix) {
    try {
      return Files.createTempFile("pageferry-bench-", suffix);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      System.err.println("clean-up: " + e.getMessage());
    }
  }
}
