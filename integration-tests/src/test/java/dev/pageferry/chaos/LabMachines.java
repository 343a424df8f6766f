package dev.pageferry.chaos;

import dev.pageferry.support.CommandResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * The machines of a lab, seen from a process in the namespace of one of them.
 *
 * @param directory of the lab
 * @param name with what its namespaces begin
 * @param outside a process that is in none of them
 */
record LabMachines(Path directory, String name, long outside) {
  static final List<String> HOSTS = List.of("host-a", "host-b", "host-c");
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath());
  /** Where a process' start is in proc_pid_stat(5), counted behind the name. */
  private static final int START = 19;

  Path storage() {
    return directory.resolve("storage");
  }

  /** Runs a command of {@code scripts/lab} from outside. */
  CommandResult lab(String command, String... words) throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of("nsenter", "--net=/proc/%d/ns/net".formatted(outside),
        ROOT.resolve("scripts/lab").toString(), command, "--dir", directory.toString()));
    all.addAll(List.of(words));
    return CommandResult.of(all, Map.of());
  }

  /** Runs one that must succeed. */
  void done(String command, String... words) throws IOException, InterruptedException {
    CommandResult result = lab(command, words);
    if (result.exitCode() != 0) {
      throw new IOException("lab %s %s: %s".formatted(command, String.join(" ", words), result.errors().strip()));
    }
  }

  /** The process of a server, if it is still the one that the lab started. */
  OptionalLong server(String machine) {
    try {
      long pid = Long.parseLong(Files.readString(directory.resolve(machine).resolve("pid")).strip());
      String stat = Files.readString(Path.of("/proc", String.valueOf(pid), "stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      String started = Files.readString(directory.resolve(machine).resolve("started")).strip();
      return fields[0].equals("Z") || !fields[START].equals(started) ? OptionalLong.empty() : OptionalLong.of(pid);
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /** Sends a server a signal, if it is there. */
  void signal(String machine, String signal) throws IOException, InterruptedException {
    OptionalLong pid = server(machine);
    if (pid.isPresent()) {
      signal(pid.getAsLong(), signal);
    }
  }

  static void signal(long pid, String signal) throws IOException, InterruptedException {
    CommandResult _ = CommandResult.of(List.of("kill", "-" + signal, String.valueOf(pid)), Map.of());
  }

  /** All processes of a machine. */
  List<Long> processes(String machine) throws IOException, InterruptedException {
    return CommandResult.of(List.of("ip", "netns", "pids", name + "-" + machine), Map.of()).output().lines()
        .map(String::strip).filter(line -> !line.isEmpty()).map(Long::valueOf).toList();
  }

  /** What a process was started as; empty if it has ended. */
  static String commandOf(long pid) {
    try {
      return Files
          .readString(Path.of("/proc", String.valueOf(pid), "cmdline"), StandardCharsets.ISO_8859_1)
          .replace('\0', ' ').strip();
    } catch (IOException e) {
      return "";
    }
  }
}
