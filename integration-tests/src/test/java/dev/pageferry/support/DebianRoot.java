package dev.pageferry.support;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** A copy of a small Debian system without a JDK, in a directory; what runs in it has that directory for its root. Needs root. */
public final class DebianRoot implements AutoCloseable {
  private static final Path TARGET = Path.of("target/scenario").toAbsolutePath();
  private static final Duration ENDS = Duration.ofSeconds(20);

  private final Path directory;
  private final List<String> enter;

  public DebianRoot() throws IOException, InterruptedException {
    directory = Files.createTempDirectory(Files.createDirectories(TARGET), "debian-").resolve("root");
    enter = List.of("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
        "FERRY_START_CACHE=off", "chroot", directory.toString());
    try {
      outside("cp", "-a", DebianPackages.cleanRoot().toString(), directory.toString());
      outside("mount", "-t", "proc", "proc", directory.resolve("proc").toString());
    } catch (IOException | InterruptedException | RuntimeException e) {
      close();
      throw e;
    }
  }

  /** A file of it. @param path from its root, without a slash at the beginning */
  public Path file(String path) {
    return directory.resolve(path);
  }

  /** Runs a command in it, with an environment of its own. */
  public CommandResult run(String... command) throws IOException, InterruptedException {
    return CommandResult.of(inside(List.of(command)), Map.of());
  }

  /** Runs a command in it and requires that it succeeds. @return what it said */
  public String require(String... command) throws IOException, InterruptedException {
    CommandResult result = run(command);
    if (result.exitCode() != 0) {
      throw new IllegalStateException(
          "%s: %d %s%s".formatted(String.join(" ", command), result.exitCode(), result.output(), result.errors()));
    }
    return result.output() + result.errors();
  }

  /** A server of it, which is not started yet. */
  public ServerProcess server(List<String> command, Path log) {
    List<String> whole = inside(command);
    return new ServerProcess(Path.of("/usr/bin/env"), whole.subList(1, whole.size()), log);
  }

  private List<String> inside(List<String> command) {
    List<String> whole = new ArrayList<>(enter);
    whole.addAll(command);
    return whole;
  }

  /** Installs packages, in this order. @return what was said */
  public String install(List<Path> packages) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("dpkg", "--install"));
    for (Path each : packages) {
      Files.copy(each, directory.resolve("tmp").resolve(each.getFileName()), StandardCopyOption.REPLACE_EXISTING);
      command.add("/tmp/" + each.getFileName());
    }
    return require(command.toArray(String[]::new));
  }

  /** What runs in it: its command line, by its pid. */
  public Map<Long, String> processes() throws IOException {
    Map<Long, String> found = new TreeMap<>();
    try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
      for (ProcessHandle each : all.toList()) {
        try {
          if (Files.readSymbolicLink(Path.of("/proc", String.valueOf(each.pid()), "root")).equals(directory)) {
            found.put(each.pid(),
                Files.readString(Path.of("/proc", String.valueOf(each.pid()), "cmdline")).replace('\0', ' '));
          }
        } catch (IOException e) {
          // It has ended.
        }
      }
    }
    return found;
  }

  private static void outside(String... command) throws IOException, InterruptedException {
    CommandResult result = CommandResult.of(List.of(command), Map.of());
    if (result.exitCode() != 0) {
      throw new IllegalStateException("%s: %s".formatted(String.join(" ", command), result.errors()));
    }
  }

  @Override
  public void close() throws IOException, InterruptedException {
    Awaitility.await("the processes of " + directory).atMost(ENDS).until(() -> {
      processes().keySet().forEach(pid -> ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly));
      return processes().isEmpty();
    });
    if (Files.exists(directory.resolve("proc/self"))) {
      outside("umount", directory.resolve("proc").toString());
    }
    outside("rm", "-rf", "--one-file-system", Objects.requireNonNull(directory.getParent()).toString());
  }
}
