package dev.pageferry.agent.disk;

import dev.pageferry.agent.os.DataExtents;
import dev.pageferry.agent.os.DataExtents.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;

/**
 * A disk that is read while its VM writes it, by a descriptor of its own: what happens to this one is nothing to the guest.
 * A read that a write overtakes may be torn; {@link WriteTracking} tells that it is to be repeated.
 */
public final class DiskReader implements AutoCloseable {
  private final Path path;
  private final DiskFile file;

  private DiskReader(Path path, DiskFile file) {
    this.path = path;
    this.file = file;
  }

  static DiskReader open(Path path, DiskFormat format) throws IOException {
    return new DiskReader(path, DiskFile.openToRead(path, format));
  }

  /** The parts of the disk that may hold something else than zeros; bytes from its beginning. */
  public List<Extent> dataExtents() throws IOException {
    return DataExtents.of(path, file.sizeBytes());
  }

  /** Fills the buffer; what is beyond the disk's end reads as zeros. */
  public void read(long offset, ByteBuffer target) throws IOException {
    int end = target.limit();
    int there = (int) Math.min(target.remaining(), file.sizeBytes() - offset);
    target.limit(target.position() + there);
    file.read(offset, target);
    int filled = target.limit();
    target.limit(end);
    for (int i = filled; i < end; i++) {
      target.put(i, (byte) 0);
    }
    target.position(0);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
