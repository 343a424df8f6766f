package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageStore;
import dev.pageferry.agent.memory.SharedPlace;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A machine's RAM, in a file that its QEMU maps, too. When nothing is left of that QEMU it is kept for the next machine. */
final class MachineMemory implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(MachineMemory.class);

  private final HostMemory memory;
  private final PageStore ram;
  private final MachineFiles files;
  private final Supplier<Path> places;
  private final boolean mayBeKept;
  /** Of the file. */
  private final String key;
  private final AtomicBoolean over = new AtomicBoolean();

  private MachineMemory(HostMemory memory, PageStore ram, QemuSpec spec, MachineFiles files, Supplier<Path> places)
      throws IOException {
    this.memory = memory;
    this.ram = ram;
    this.files = files;
    this.places = places;
    // Devices that an operator added may share memory with other programs, such as those of vhost-user.
    this.mayBeKept = spec.arguments().isEmpty();
    this.key = files.ramKey();
  }

  /**
   * Of a machine that is to come.
   *
   * @param places for memory that is kept; each is new
   */
  static MachineMemory allocate(HostMemory memory, QemuSpec spec, MachineFiles files, Supplier<Path> places)
      throws IOException, OutOfMemoryException, InterruptedException {
    return of(memory, memory.allocateShared(spec.memoryBytes(), files.ram()), spec, files, places);
  }

  /** As {@link #allocate}, of a machine that is there. */
  static MachineMemory adopt(HostMemory memory, QemuSpec spec, MachineFiles files, Supplier<Path> places)
      throws IOException {
    return of(memory, memory.adoptShared(spec.memoryBytes(), files.ram()), spec, files, places);
  }

  private static MachineMemory of(HostMemory memory, PageStore ram, QemuSpec spec, MachineFiles files,
      Supplier<Path> places) throws IOException {
    try {
      return new MachineMemory(memory, ram, spec, files, places);
    } catch (IOException e) {
      ram.close();
      throw e;
    }
  }

  PageStore ram() {
    return ram;
  }

  /** Ends it, ahead of the machine's files, if its QEMU is known to have ended. Idempotent. */
  void keepForNext() {
    // Once: later the directory may be that of the VM's next machine here.
    if (over.getAndSet(true) || !mayBeKept || !files.isOver()) {
      return;
    }
    try {
      MachineFiles place = MachineFiles.create(places.get());
      boolean isKept = false;
      try {
        // So that any agent removes it, should this one not come to it.
        Files.createFile(place.ended());
        isKept = files.moveRam(place, key) && memory.closeShared(ram, new Place(place));
      } finally {
        if (!isKept) {
          place.close();
        }
      }
    } catch (IOException e) {
      log.debug("memory of a machine is not kept for the next: {}", e.toString());
    }
  }

  /** Of the agent; QEMU, if it is there, has it as before. Idempotent. */
  @Override
  public void close() {
    over.set(true);
    ram.close();
  }

  private record Place(MachineFiles files) implements SharedPlace {
    @Override
    public Path file() {
      return files.ram();
    }

    @Override
    public void close() throws IOException {
      files.close();
    }
  }
}
