package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;

/** Builds machines of QEMU. */
public final class QemuKind implements GuestKind {
  private final HostMemory memory;
  private final GuestDisks disks;
  private final HostNetwork network;
  private final QemuPaths paths;
  private final QemuStarter starter;
  private final Scheduler scheduler;

  public QemuKind(HostMemory memory, GuestDisks disks, HostNetwork network, QemuPaths paths, Scheduler scheduler) {
    this.memory = memory;
    this.disks = disks;
    this.network = network;
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
    disks.check(spec);
  }

  @Override
  public QemuGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    QemuSpec own = own(spec);
    try {
      MachineFiles files = MachineFiles.create(paths.directoryOf(own.id()));
      try {
        return guest(own, files);
      } catch (IOException | OutOfMemoryException | InterruptedException | RuntimeException | Error e) {
        files.close();
        throw e;
      }
    } catch (IOException e) {
      throw new OutOfMemoryException(own.memoryBytes(), e);
    }
  }

  private QemuGuest guest(QemuSpec spec, MachineFiles files)
      throws IOException, OutOfMemoryException, InterruptedException {
    PageStore ram = memory.allocateShared(spec.memoryBytes(), files.ram());
    try {
      ServedDisks served = new ServedDisks(spec, files, disks, scheduler);
      return new QemuGuest(spec, ram, files, served,
          new MachineCards(spec, files, network, served.held()::isPermitted, scheduler),
          new MachineConsole(spec.name(), files, scheduler), starter, scheduler);
    } catch (IOException | RuntimeException | Error e) {
      ram.close();
      throw e;
    }
  }

  private static QemuSpec own(GuestSpec spec) {
    if (spec instanceof QemuSpec own) {
      return own;
    }
    throw new IllegalArgumentException("%s is not a specification of a machine of QEMU".formatted(spec));
  }
}
