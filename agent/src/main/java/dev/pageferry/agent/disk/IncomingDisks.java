package dev.pageferry.agent.disk;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The disks of a VM that comes from storage which this host does not reach: files of zeros at first, beside the disks' names
 * until the VM is this host's. Writes to different blocks may come from several threads.
 */
public final class IncomingDisks implements AutoCloseable {
  private final DiskCopies copies;
  private final Origin origin;
  private final List<DiskDescription> disks;
  private final List<DiskFile> files = new ArrayList<>();
  private boolean promoted;

  /** Where disks come from: a VM, the epoch under which it runs there, and what brings them. */
  public record Origin(VmId vm, OwnershipEpoch epoch, MigrationId migration) {
    private static final String SEPARATOR = ",";

    /** As a directory is called. */
    String name() {
      return String.join(SEPARATOR, vm.value(), Long.toString(epoch.value()), migration.value());
    }

    /** @throws IllegalArgumentException if no directory of incoming disks is called so */
    static Origin parse(String name) {
      String[] parts = name.split(SEPARATOR, -1);
      if (parts.length != 3) {
        throw new IllegalArgumentException("%s is not VM,EPOCH,MIGRATION".formatted(name));
      }
      return new Origin(new VmId(parts[0]), new OwnershipEpoch(Long.parseLong(parts[1])), new MigrationId(parts[2]));
    }
  }

  IncomingDisks(DiskCopies copies, Origin origin, List<DiskDescription> disks) {
    this.copies = copies;
    this.origin = origin;
    this.disks = disks;
  }

  void open(Path file, DiskFormat format) throws IOException {
    files.add(DiskFile.open(file, format));
  }

  /**
   * Writes to one of the disks.
   *
   * @param disk its place among the VM's
   * @param offset bytes from its beginning; what reaches beyond its end is left out
   */
  public void write(int disk, long offset, ByteBuffer source) throws IOException {
    DiskFile file = files.get(disk);
    long room = Math.max(0, file.sizeBytes() - offset);
    if (source.remaining() > room) {
      source.limit(source.position() + (int) room);
    }
    carryOut(disk, () -> file.write(offset, source));
  }

  /** Returns once everything written is on stable storage. */
  public void flush() throws IOException {
    for (int i = 0; i < files.size(); i++) {
      carryOut(i, files.get(i)::flush);
    }
    copies.sync(origin);
  }

  private interface Request {
    void carryOut() throws IOException;
  }

  private void carryOut(int disk, Request request) throws IOException {
    try {
      request.carryOut();
    } catch (IOException e) {
      throw new DiskException("disk %s: %s".formatted(disks.get(disk).name(), StorageFiles.reason(e)), e);
    }
  }

  /** The VM is this host's: gives every disk its name. What failed half-way can be tried again. */
  public void promote() throws IOException {
    close();
    promoted = true;
    copies.promote(origin);
  }

  /** The VM stays where it is: removes the disks from here, those included that have their names already. */
  public void discard() throws IOException {
    close();
    copies.delete(origin);
    if (promoted) {
      copies.retire(disks, origin.vm(), origin.epoch().next());
    }
  }

  @Override
  public void close() throws IOException {
    for (DiskFile each : files) {
      each.close();
    }
  }
}
