package dev.pageferry.agent.guest.qemu;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Starts QEMUs that end with this process, however it ends: the kernel kills a child whose parent is gone. It does so at the end of the
 * <i>thread</i> that is its parent, which is one that never ends. Source: {@code PR_SET_PDEATHSIG} in {@code prctl(2)}.
 */
final class QemuStarter {
  private static final List<String> ENDS_WITH_ITS_PARENT = List.of("setpriv", "--pdeathsig", "KILL", "--");

  private final QemuPaths paths;
  private final ExecutorService parent = Executors.newSingleThreadExecutor(
      Thread.ofPlatform().daemon().name("qemu-parent").factory());

  QemuStarter(QemuPaths paths) {
    this.paths = paths;
  }

  /**
   * Starts one.
   *
   * @param isIncoming whether it waits for a state
   * @throws IOException also where this host does not allow it
   */
  Process start(QemuSpec spec, MachineFiles files, boolean isIncoming) throws IOException {
    paths.check(spec);
    List<String> argv = new ArrayList<>(ENDS_WITH_ITS_PARENT);
    argv.add(paths.binary());
    argv.addAll(QemuCommand.of(spec, files, isIncoming));
    ProcessBuilder builder = new ProcessBuilder(argv).redirectErrorStream(true).redirectOutput(files.log().toFile())
        .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
    Future<Process> starting = parent.submit(builder::start);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return starting.get();
        } catch (InterruptedException e) {
          // Whoever starts a process has it.
          interrupted = true;
        } catch (ExecutionException e) {
          throw new IOException("QEMU does not start: " + e.getMessage(), e);
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
