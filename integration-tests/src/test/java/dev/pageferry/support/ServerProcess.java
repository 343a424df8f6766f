package dev.pageferry.support;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

/** One program of the distribution as a process of its own, started, killed, frozen and started again by a test. */
public final class ServerProcess implements AutoCloseable {
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration END_TIMEOUT = Duration.ofSeconds(20);

  private Path program;
  private List<String> arguments;
  private final Path log;
  private @Nullable Process process;
  private long logOffset;
  private long fileLimitKib;

  /** @param log where both outputs go, appended by every start */
  public ServerProcess(Path program, List<String> arguments, Path log) {
    this.program = program;
    this.arguments = List.copyOf(arguments);
    this.log = log;
  }

  /** From the next start on it is another version's program. */
  void become(Path otherProgram, List<String> otherArguments) {
    program = otherProgram;
    arguments = List.copyOf(otherArguments);
  }

  /** From the next start on, a file that would grow beyond this cannot be written: as on a full disk, and without root. */
  public void limitFiles(long kib) {
    fileLimitKib = kib;
  }

  /** Starts the program and waits until its log shows the pattern. */
  public Matcher start(Pattern ready) throws IOException {
    logOffset = Files.exists(log) ? Files.size(log) : 0;
    List<String> command = new ArrayList<>();
    if (fileLimitKib > 0) {
      command.addAll(List.of("bash", "-c", "ulimit -f %d; exec \"$0\" \"$@\"".formatted(fileLimitKib)));
    }
    command.add(program.toString());
    command.addAll(arguments);
    process = new ProcessBuilder(command).redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
        .start();
    return awaitLog(ready);
  }

  /** Waits until the log of the present start shows the pattern. */
  public Matcher awaitLog(Pattern pattern) {
    AtomicReference<Matcher> found = new AtomicReference<>();
    Awaitility.await("%s logs '%s'".formatted(program.getFileName(), pattern)).atMost(START_TIMEOUT)
        .pollInterval(Duration.ofMillis(20)).until(() -> {
          Matcher matcher = pattern.matcher(logOfThisStart());
          if (matcher.find()) {
            found.set(matcher);
            return true;
          }
          if (!running().isAlive()) {
            throw new IllegalStateException(
                "%s ended while it started:%n%s".formatted(program.getFileName(), logOfThisStart()));
          }
          return false;
        });
    return found.get();
  }

  /** What the process has logged since it was started. */
  public String logOfThisStart() throws IOException {
    byte[] all = Files.exists(log) ? Files.readAllBytes(log) : new byte[0];
    return new String(all, (int) Math.min(logOffset, all.length), (int) Math.max(0, all.length - logOffset),
        StandardCharsets.UTF_8);
  }

  public boolean isAlive() {
    return process != null && process.isAlive();
  }

  /** SIGKILL; returns once the process is gone. */
  public void kill() throws InterruptedException {
    running().destroyForcibly().waitFor();
  }

  /** SIGSTOP: the process stands still and keeps its sockets. */
  public void freeze() throws IOException, InterruptedException {
    signal("STOP");
  }

  /** SIGCONT. */
  public void thaw() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    int code = new ProcessBuilder("kill", "-" + name, Long.toString(running().pid())).inheritIO().start().waitFor();
    if (code != 0) {
      throw new IllegalStateException("kill -%s answered %d".formatted(name, code));
    }
  }

  public long pid() {
    return running().pid();
  }

  /**
   * Asks it to end and waits until it has.
   *
   * @param signal such as TERM
   * @return the exit code
   */
  public int end(String signal) throws IOException, InterruptedException {
    signal(signal);
    if (!running().waitFor(END_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
      throw new IllegalStateException("%s did not end on SIG%s".formatted(program.getFileName(), signal));
    }
    return running().exitValue();
  }

  private Process running() {
    if (process == null) {
      throw new IllegalStateException("%s was not started".formatted(program.getFileName()));
    }
    return process;
  }

  @Override
  public void close() throws IOException, InterruptedException {
    if (!isAlive()) {
      return;
    }
    thaw();
    running().destroy();
    if (!running().waitFor(END_TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
      running().destroyForcibly().waitFor();
      throw new IllegalStateException("%s did not end on SIGTERM".formatted(program.getFileName()));
    }
  }
}
