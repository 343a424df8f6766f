package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.disk.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * What a disk step of a program asks of a disk. The bytes are copied: a request never refers to guest memory, so that
 * it can be carried out while the vCPU's dirty log is parked.
 *
 * @param disk the VM's n-th
 * @param offset bytes from the disk's beginning
 * @param data what to write, or room for what is read
 * @param flushes whether the step is done only once everything written is safe
 */
record DiskRequest(Kind kind, int disk, long offset, ByteBuffer data, boolean flushes) {
  /** Which way the bytes go. */
  enum Kind {
    READ,
    WRITE
  }

  /** May be repeated if it fails: the same bytes go to the same place. */
  void carryOut(BlockDevice device) throws IOException {
    switch (kind) {
      case READ -> device.read(offset, data.clear());
      case WRITE -> device.write(offset, data.clear());
    }
    if (flushes) {
      device.flush();
    }
  }
}
