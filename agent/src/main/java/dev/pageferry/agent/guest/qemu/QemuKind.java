package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;

/** Builds machines of QEMU. */
public final class QemuKind implements GuestKind {
  private final HostMemory memory;
  private final QemuPaths paths;
  private final QemuStarter starter;
  private final Scheduler scheduler;

  public QemuKind(HostMemory memory, QemuPaths paths, Scheduler scheduler) {
    this.memory = memory;
    this.paths = paths;
    this.starter = new QemuStarter(paths);
    this.scheduler = scheduler;
  }

  @Override
  public GuestSpec spec(VmSpec message) {
    return QemuSpec.of(message);
  }

  @Override
  public void check(GuestSpec spec) throws IOException {
    paths.check(own(spec));
  }

  @Override
  public QemuGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    QemuSpec own = own(spec);
    try {
      MachineFiles files = MachineFiles.create(paths.directoryOf(own.id()));
      try {
        return new QemuGuest(own, memory.allocateShared(own.memoryBytes(), files.ram()), files, starter, scheduler);
      } catch (IOException | OutOfMemoryException | InterruptedException | RuntimeException | Error e) {
        files.close();
        throw e;
      }
    } catch (IOException e) {
      throw new OutOfMemoryException(own.memoryBytes(), e);
    }
  }

  private static QemuSpec own(GuestSpec spec) {
    if (spec instanceof QemuSpec own) {
      return own;
    }
    throw new IllegalArgumentException("%s is not a specification of a machine of QEMU".formatted(spec));
  }
}
