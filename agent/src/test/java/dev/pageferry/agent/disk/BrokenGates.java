package dev.pageferry.agent.disk;

import dev.pageferry.agent.disk.StressedDisk.Gate;
import dev.pageferry.agent.disk.StressedDisk.StressedFile;
import java.io.IOException;
import java.util.BitSet;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Gates of disks with one mistake each. They show that the stress test would notice it. */
final class BrokenGates {
  private BrokenGates() {
  }

  /** Whoever gives the disk away does not wait for requests in flight. */
  static final class NobodyWaits implements Gate {
    private final StressedFile file;
    private volatile boolean closed;

    NobodyWaits(StressedFile file) {
      this.file = file;
    }

    @Override
    public void write() throws IOException {
      if (closed) {
        throw new IOException("closed");
      }
      file.write();
    }

    @Override
    public void giveAway() {
      closed = true;
    }

    @Override
    public BitSet harvest() {
      return new BitSet();
    }
  }

  /** A request that was permitted enters a gate that has been closed since. */
  static final class LooksAheadOfTheGate implements Gate {
    private final StressedFile file;
    private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock();
    private volatile boolean closed;

    LooksAheadOfTheGate(StressedFile file) {
      this.file = file;
    }

    @Override
    public void write() throws IOException {
      if (closed) {
        throw new IOException("closed");
      }
      gate.readLock().lock();
      try {
        file.write();
      } finally {
        gate.readLock().unlock();
      }
    }

    @Override
    public void giveAway() {
      gate.writeLock().lock();
      try {
        closed = true;
      } finally {
        gate.writeLock().unlock();
      }
    }

    @Override
    public BitSet harvest() {
      return new BitSet();
    }
  }

  /** Whoever takes the notes does not wait for the write that was noted. */
  static final class NotesApartFromWrites implements Gate {
    private final StressedFile file;
    private BitSet written = new BitSet();

    NotesApartFromWrites(StressedFile file) {
      this.file = file;
    }

    @Override
    public void write() {
      note();
      file.write();
    }

    private synchronized void note() {
      written.set(0);
    }

    @Override
    public void giveAway() {
      throw new AssertionError("it stays");
    }

    @Override
    public synchronized BitSet harvest() {
      BitSet harvested = written;
      written = new BitSet();
      return harvested;
    }
  }
}
