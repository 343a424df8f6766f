package dev.pageferry.support;

import dev.pageferry.proto.cluster.v1.Vm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.awaitility.Awaitility;

/**
 * What a host has of a machine of QEMU.
 *
 * @param directory of its memory and its sockets
 */
public record MachineOnHost(Path directory) {
  private static final Duration PATIENCE = Duration.ofSeconds(20);

  public static MachineOnHost of(Vm vm, String host) {
    return new MachineOnHost(Path.of("/dev/shm", "pageferry-%s-%s".formatted(host, vm.getId())));
  }

  /** Empty where there is none. */
  public Optional<ProcessHandle> qemu() {
    return process("/ram");
  }

  /** The process that is QEMU's parent. */
  public Optional<ProcessHandle> keeper() {
    return process("/keep");
  }

  private Optional<ProcessHandle> process(String argument) {
    return ProcessHandle.allProcesses().filter(ProcessHandle::isAlive)
        .filter(each -> each.info().arguments()
            .filter(it -> String.join(" ", it).contains(directory + argument)).isPresent())
        // A keeper's arguments have those of its QEMU.
        .filter(each -> argument.equals("/keep") == each.info().command().orElse("").endsWith("sh")).findFirst();
  }

  /** @param signal such as STOP */
  public void signalKeeper(String signal) throws IOException, InterruptedException {
    signal(keeper(), signal);
  }

  /** @param signal such as STOP */
  public void signalQemu(String signal) throws IOException, InterruptedException {
    signal(qemu(), signal);
  }

  private static void signal(Optional<ProcessHandle> process, String signal) throws IOException, InterruptedException {
    long pid = process.orElseThrow().pid();
    CommandResult sent = CommandResult.of(List.of("kill", "-" + signal, String.valueOf(pid)),
        Map.of());
    if (sent.exitCode() != 0) {
      throw new IllegalStateException("kill -%s %d: %s".formatted(signal, pid, sent.errors()));
    }
  }

  /** Waits until nothing of it is left. */
  public void awaitGone() {
    Awaitility.await("nothing is left of " + directory).atMost(PATIENCE)
        .until(() -> qemu().isEmpty() && keeper().isEmpty() && !Files.exists(directory));
  }
}
