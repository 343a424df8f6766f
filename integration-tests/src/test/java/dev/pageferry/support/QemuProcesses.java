package dev.pageferry.support;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The QEMU processes of a VM on this machine, and their directories, as the kernel has them, whoever started them. */
public final class QemuProcesses {
  private static final Path PROC = Path.of("/proc");
  private static final Path RAM = Path.of("/dev/shm");
  private static final String PROGRAM = "qemu-system-x86_64";
  /** The threads that execute a guest. Source: {@code mttcg_start_vcpu_thread} of QEMU 10.0. */
  private static final Pattern VCPU = Pattern.compile("CPU \\d+/.*");
  private static final Pattern STATE = Pattern.compile("\\) ([A-Z]) ");

  private QemuProcesses() {
  }

  /**
   * One of them.
   *
   * @param host whose agent started it
   * @param vcpuNanos for which its guest has had a processor
   * @param vcpuAwakeNanos for which it has had one, or waited for one
   * @param isStopped by SIGSTOP
   */
  public record Qemu(long pid, String host, long vcpuNanos, long vcpuAwakeNanos, boolean isStopped) {
  }

  /** All that run now. One that is just ending is none. */
  public static List<Qemu> of(String vmId) throws IOException {
    Pattern own = Pattern.compile(
        Pattern.quote(RAM + "/") + "(?:[^/ ]+/)?pageferry-([^/]+?)-" + Pattern.quote(vmId) + "/");
    List<Qemu> found = new ArrayList<>();
    try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[1-9]*")) {
      for (Path process : processes) {
        try {
          String command = Files.readString(process.resolve("cmdline"), StandardCharsets.ISO_8859_1);
          Matcher host = own.matcher(command);
          if (command.startsWith(PROGRAM) && host.find()) {
            found.add(qemu(process, host.group(1)));
          }
        } catch (IOException e) {
          // It has just ended.
        }
      }
    }
    return found;
  }

  private static Qemu qemu(Path process, String host) throws IOException {
    long nanos = 0;
    long waitedNanos = 0;
    try (DirectoryStream<Path> threads = Files.newDirectoryStream(process.resolve("task"))) {
      for (Path each : threads) {
        if (VCPU.matcher(Files.readString(each.resolve("comm")).strip()).matches()) {
          // Source: schedstats in Linux' Documentation/scheduler/sched-stats.rst, time on the processor, then time waiting for it.
          String[] times = Files.readString(each.resolve("schedstat")).split(" ");
          nanos += Long.parseLong(times[0]);
          waitedNanos += Long.parseLong(times[1]);
        }
      }
    }
    Matcher state = STATE.matcher(Files.readString(process.resolve("stat")));
    boolean isStopped = state.find() && state.group(1).equals("T");
    return new Qemu(Long.parseLong(String.valueOf(process.getFileName())), host, nanos, nanos + waitedNanos, isStopped);
  }

  /** The hosts that have a directory of the VM, with its memory. */
  public static List<String> hostsWithFiles(String vmId) throws IOException {
    List<String> hosts = new ArrayList<>();
    try (DirectoryStream<Path> directories = Files.newDirectoryStream(RAM, "pageferry-*-" + vmId)) {
      for (Path each : directories) {
        String name = String.valueOf(each.getFileName());
        hosts.add(name.substring("pageferry-".length(), name.length() - vmId.length() - 1));
      }
    } catch (NoSuchFileException e) {
      return List.of();
    }
    return hosts;
  }

  /** The file that is the RAM of a VM on a host. */
  public static Path ram(String vmId, String host) {
    return RAM.resolve("pageferry-%s-%s".formatted(host, vmId)).resolve("ram");
  }
}
