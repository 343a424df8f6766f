package dev.pageferry.agent.memory;

import dev.pageferry.agent.os.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Anonymous memory of this process, all of it backed by the host. Page stores are views of one. */
final class Mapping implements AutoCloseable {
  private final Arena arena;
  private final MemorySegment memory;

  private Mapping(Arena arena, MemorySegment memory) {
    this.arena = arena;
    this.memory = memory;
  }

  /**
   * Maps and backs zero-filled memory, using several threads.
   *
   * @throws OutOfMemoryException if the host cannot back it all; nothing stays allocated
   */
  @SuppressWarnings("MustBeClosedChecker") // closed with the mapping
  static Mapping allocate(long bytes) throws OutOfMemoryException, InterruptedException {
    Arena arena = Arena.ofShared();
    try {
      Mapping mapping = new Mapping(arena, Linux.map(bytes, arena));
      Populator.populate(mapping.memory);
      return mapping;
    } catch (Linux.KernelException e) {
      arena.close();
      throw new OutOfMemoryException(bytes, e);
    } catch (InterruptedException | RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  /**
   * Maps and backs a file of zeros that is made for it, so that another process can map it, too.
   *
   * @param file on a tmpfs; must not exist
   * @throws OutOfMemoryException if the file system cannot back it all; nothing stays allocated, and no file
   */
  @SuppressWarnings("MustBeClosedChecker") // closed with the mapping
  static Mapping ofFile(Path file, long bytes) throws IOException, OutOfMemoryException, InterruptedException {
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(file,
        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
      Mapping mapping = new Mapping(arena, channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena));
      Populator.populate(mapping.memory);
      return mapping;
    } catch (Linux.KernelException e) {
      arena.close();
      Files.deleteIfExists(file);
      throw new OutOfMemoryException(bytes, e);
    } catch (FileAlreadyExistsException e) {
      arena.close();
      throw e;
    } catch (IOException | InterruptedException | RuntimeException | Error e) {
      arena.close();
      Files.deleteIfExists(file);
      throw e;
    }
  }

  /**
   * Maps a file that was backed before, with what is in it.
   *
   * @throws IOException if it is not there, or of another size
   */
  @SuppressWarnings("MustBeClosedChecker") // closed with the mapping
  static Mapping ofExisting(Path file, long bytes) throws IOException {
    Arena arena = Arena.ofShared();
    boolean isMapped = false;
    try (FileChannel channel = FileChannel.open(file, Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE))) {
      if (channel.size() != bytes) {
        throw new IOException("%s has %d bytes instead of %d".formatted(file, channel.size(), bytes));
      }
      Mapping mapping = new Mapping(arena, channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena));
      isMapped = true;
      return mapping;
    } finally {
      if (!isMapped) {
        arena.close();
      }
    }
  }

  long bytes() {
    return memory.byteSize();
  }

  /** The memory, readable and writable until the arena closes; the mapping itself outlives that. */
  MemorySegment view(Arena until) {
    return memory.reinterpret(until, null);
  }

  /** Fills the rest of the memory with zeros, using several threads. */
  void zeroFrom(long offset) throws InterruptedException {
    if (offset < bytes()) {
      Populator.zero(memory.asSlice(offset));
    }
  }

  void zero(long offset, long length) {
    memory.asSlice(offset, length).fill((byte) 0);
  }

  /** Gives the memory back to the kernel, which takes a tenth of a second and more per gibibyte. */
  @Override
  public void close() {
    arena.close();
  }
}
