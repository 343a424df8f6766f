package dev.pageferry.coordinator.fencing;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Runs fence agents as programs: options go to stdin, a line each; the answer is the exit code. See
 * <a href="https://github.com/ClusterLabs/fence-agents/blob/main/doc/FenceAgentAPI.md">their interface</a>. One that does not end in
 * time is killed, with what it started.
 */
public final class FenceAgentPrograms implements FenceAgent {
  private static final Duration POLL = Duration.ofMillis(20);
  /** Of what it says; the rest is thrown away. */
  private static final int MAX_SAID_BYTES = 4096;
  private static final int MAX_SAID_CHARS = 300;
  private static final String PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

  private final List<Path> directories;
  private final Scheduler scheduler;

  /** @param directories where the programs are, the first one first */
  public FenceAgentPrograms(List<Path> directories, Scheduler scheduler) {
    this.directories = List.copyOf(directories);
    this.scheduler = scheduler;
  }

  @Override
  public Ended run(FenceDevice device, Action action) throws FenceException, InterruptedException {
    Path program = program(device.getAgent());
    Map<String, String> options = new TreeMap<>(device.getOptionsMap());
    Set<String> secrets = new HashSet<>();
    for (Map.Entry<String, String> each : new TreeMap<>(device.getOptionFilesMap()).entrySet()) {
      String secret = SecretFile.read(each.getKey(), each.getValue());
      secrets.add(secret);
      options.put(each.getKey(), secret);
    }
    options.put("action", action.toString());
    try {
      ProcessBuilder builder = new ProcessBuilder(program.toString()).directory(Path.of("/").toFile())
          .redirectErrorStream(true);
      builder.environment().clear();
      builder.environment().putAll(Map.of("PATH", PATH, "LC_ALL", "C.UTF-8"));
      return follow(builder.start(), device.getAgent(), options, action, secrets);
    } catch (IOException e) {
      throw new FenceException("%s cannot be run: %s".formatted(program, e.getMessage()));
    }
  }

  private Path program(String agent) throws FenceException {
    for (Path each : directories) {
      Path program = each.resolve(agent);
      if (Files.isRegularFile(program) && Files.isExecutable(program)) {
        return program;
      }
    }
    throw new FenceException("fence agent %s is not in %s of the coordinator's machine (--fence-agents)"
        .formatted(agent, directories.stream().map(Path::toString).collect(Collectors.joining(":"))));
  }

  private Ended follow(Process process, String agent, Map<String, String> options, Action action, Set<String> secrets)
      throws FenceException, InterruptedException {
    long begin = scheduler.nanos();
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    try {
      tell(process, options);
      while (process.isAlive()) {
        listen(process, said);
        if (scheduler.nanos() - begin > action.atMost().toNanos()) {
          throw new FenceException(
              "%s did not end within %d s when it was asked for %s, and was killed".formatted(agent,
                  action.atMost().toSeconds(), action));
        }
        scheduler.sleep(POLL);
      }
      listen(process, said);
      return new Ended(process.exitValue(), line(said.toString(StandardCharsets.UTF_8), secrets));
    } finally {
      end(process);
    }
  }

  /** Few enough bytes for the pipe to take them all, also if nobody reads. */
  private static void tell(Process process, Map<String, String> options) {
    try (OutputStream in = process.getOutputStream()) {
      in.write(options.entrySet().stream().map(each -> "%s=%s\n".formatted(each.getKey(), each.getValue()))
          .collect(Collectors.joining()).getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // It has ended already; its exit code tells why.
    }
  }

  /** What there is, without waiting for more. */
  private static void listen(Process process, ByteArrayOutputStream said) {
    try {
      InputStream out = process.getInputStream();
      byte[] buffer = new byte[MAX_SAID_BYTES];
      // A bound: one that floods is not listened to without end.
      for (int i = 0; i < 256 && out.available() > 0; i++) {
        int read = out.read(buffer, 0, Math.min(buffer.length, out.available()));
        said.write(buffer, 0, Math.clamp(MAX_SAID_BYTES - said.size(), 0, Math.max(0, read)));
      }
    } catch (IOException e) {
      // Closed: it has ended.
    }
  }

  private static void end(Process process) {
    if (process.isAlive()) {
      // Asked for first: they are nobody's children once it is gone.
      try (Stream<ProcessHandle> started = process.descendants()) {
        List<ProcessHandle> all = started.sorted(Comparator.comparingLong(ProcessHandle::pid)).toList();
        var _ = process.destroyForcibly();
        all.forEach(ProcessHandle::destroyForcibly);
      }
    }
  }

  /** The end of it tells why; what was secret is not repeated. */
  private static String line(String text, Set<String> secrets) {
    String clean = text;
    for (String each : secrets) {
      clean = clean.replace(each, "***");
    }
    String line = clean.lines().map(String::strip).filter(each -> !each.isEmpty()).collect(Collectors.joining("; "))
        .codePoints().map(each -> Character.isISOControl(each) ? ' ' : each)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
    return line.substring(Math.max(0, line.length() - MAX_SAID_CHARS));
  }
}
