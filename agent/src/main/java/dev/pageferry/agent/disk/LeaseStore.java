package dev.pageferry.agent.disk;

import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * Where leases, marks and locks are kept, by name: a directory on shared storage ({@link LeaseDirectory}), or storage that
 * is simulated. All hosts that share it see the same. Names are file names, without a directory. Every method may block for
 * as long as the storage takes, and is safe for use by several threads.
 *
 * <p>What the proof in docs/STORAGE.md rests on: who reads after a write has returned, on any host, finds it or a newer one;
 * and what is not known is an exception, never "nothing there".
 */
public interface LeaseStore {
  /**
   * What was written last under a name.
   *
   * @return empty if there is surely nothing
   * @throws IOException if that cannot be known now
   */
  Optional<byte[]> read(String name) throws IOException;

  /** The names under which something is, in no particular order. */
  List<String> names() throws IOException;

  /**
   * Puts something under a name, in place of what was there. Once this returns it survives a loss of power and is what others
   * read. Where it fails, or its host dies meanwhile, either the old or the new is there, now or some time later.
   *
   * @param contents at most {@value LeaseRecord#BYTES} bytes, so that no crash leaves a part of them
   */
  void write(String name, byte[] contents) throws IOException;

  /** Removes what is there, if anything; a loss of power soon after may bring it back. */
  void delete(String name) throws IOException;

  /**
   * Locks a name for this process, or finds that somebody has the lock: another process, or this one. It is kept until it is
   * released or its process is gone; a process that is stopped keeps it.
   *
   * @return empty if it is taken
   * @throws IOException if this storage has no locks, or does not answer
   */
  Optional<Lock> tryLock(String name) throws IOException;

  /** Whether anybody has a lock. */
  enum Holding {
    HELD,
    FREE,
    /** There never was such a lock, or this process tries to lock it, or looks at it, just now. */
    UNKNOWN
  }

  /**
   * Looks whether a name is locked, so that several may look at once and see the same. Who locks it at that very moment may find it taken, and
   * tries again.
   *
   * @throws IOException if this storage has no locks, or does not answer
   */
  Holding holding(String name) throws IOException;

  /** A lock that this process has. */
  interface Lock extends AutoCloseable {
    /** Releases it. Idempotent. */
    @Override
    void close() throws IOException;
  }
}
