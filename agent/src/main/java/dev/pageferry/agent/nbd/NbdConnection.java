package dev.pageferry.agent.nbd;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client of a disk. Its requests are carried out by a few threads that take turns at reading the next one (leader and followers:
 * who has read one carries it out, and another reads on), so that a lone request is not handed from thread to thread.
 */
final class NbdConnection {
  /** Requests of a client that are carried out at the same time, and buffers of the most that one may have. */
  static final int LANES = 4;
  private static final Logger log = LoggerFactory.getLogger(NbdConnection.class);

  private final String name;
  private final ByteChannel channel;
  private final BlockDevice disk;
  private final boolean readOnly;
  private final int mostBytes;
  private final Scheduler scheduler;
  private final ReentrantLock reading = new ReentrantLock();
  private final ReentrantLock writing = new ReentrantLock();
  private final AtomicInteger lanes = new AtomicInteger(1);
  private volatile boolean over;

  NbdConnection(String name, ByteChannel channel, BlockDevice disk, boolean readOnly, int mostBytes,
      Scheduler scheduler) {
    this.name = name;
    this.channel = channel;
    this.disk = disk;
    this.readOnly = readOnly;
    this.mostBytes = mostBytes;
    this.scheduler = scheduler;
  }

  /** Serves until the client goes, and longer: requests that others carry out end by themselves. */
  void serve() {
    try {
      int flags = NbdProtocol.HAS_FLAGS | NbdProtocol.SEND_FLUSH | (readOnly ? NbdProtocol.READ_ONLY : 0);
      if (new NbdHandshake(channel, disk.sizeBytes(), flags, mostBytes).carryOut()) {
        runLane(new Lane(mostBytes));
      }
    } catch (IOException | RuntimeException | Error e) {
      ended(e);
    } finally {
      close();
    }
  }

  private void runLane(Lane lane) {
    try {
      while (!over) {
        NbdRequest request = next(lane);
        if (request.type() == NbdProtocol.COMMAND_DISCONNECT) {
          close();
          return;
        }
        carryOut(request, lane);
      }
    } catch (IOException | RuntimeException | Error e) {
      ended(e);
    } finally {
      close();
    }
  }

  /** @param data room for the header of a reply, and behind it for what is read or written */
  private record Lane(ByteBuffer header, ByteBuffer data) {
    Lane(int mostBytes) {
      this(ByteBuffer.allocateDirect(NbdProtocol.REQUEST_BYTES),
          ByteBuffer.allocateDirect(NbdProtocol.REPLY_BYTES + mostBytes));
    }
  }

  private NbdRequest next(Lane lane) throws IOException {
    NbdRequest request;
    reading.lock();
    try {
      lane.header().clear();
      receive(lane.header());
      request = NbdRequest.decode(lane.header().flip(), mostBytes);
      if (request.hasPayload()) {
        lane.data().limit(NbdProtocol.REPLY_BYTES + request.length()).position(NbdProtocol.REPLY_BYTES);
        receive(lane.data());
      }
    } finally {
      reading.unlock();
    }
    if (!reading.hasQueuedThreads()) {
      addLane();
    }
    return request;
  }

  /** Nobody waits to read the next request while this one is carried out. */
  private void addLane() {
    if (lanes.getAndUpdate(now -> Math.min(LANES, now + 1)) == LANES) {
      return;
    }
    try {
      Lane lane = new Lane(mostBytes);
      Task _ = scheduler.startBlocking(name, () -> runLane(lane));
    } catch (OutOfMemoryError e) {
      // It goes on with those that it has.
      log.warn("{} has {} threads, and no memory for another", name, lanes.decrementAndGet());
    }
  }

  private void receive(ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new EOFException("the client went away");
      }
    }
  }

  private void carryOut(NbdRequest request, Lane lane) throws IOException {
    ByteBuffer data = lane.data();
    data.limit(NbdProtocol.REPLY_BYTES + request.length()).position(NbdProtocol.REPLY_BYTES);
    int error = carriedOut(request, data);
    boolean hasData = error == 0 && request.type() == NbdProtocol.COMMAND_READ;
    data.limit(NbdProtocol.REPLY_BYTES + (hasData ? request.length() : 0)).position(0);
    data.putInt(NbdProtocol.REPLY_MAGIC).putInt(error).putLong(request.cookie()).position(0);
    writing.lock();
    try {
      while (data.hasRemaining()) {
        int _ = channel.write(data);
      }
    } finally {
      writing.unlock();
    }
  }

  /** @return 0, or the number of the error that the client is told */
  private int carriedOut(NbdRequest request, ByteBuffer data) {
    boolean isWrite = request.type() == NbdProtocol.COMMAND_WRITE;
    if (request.flags() != 0) {
      return NbdProtocol.ERROR_INVALID;
    }
    if (isWrite && readOnly) {
      return NbdProtocol.ERROR_NOT_PERMITTED;
    }
    if (!request.isWithin(disk.sizeBytes())) {
      return isWrite ? NbdProtocol.ERROR_NO_SPACE : NbdProtocol.ERROR_INVALID;
    }
    try {
      switch (request.type()) {
        case NbdProtocol.COMMAND_READ -> disk.read(request.offset(), data.slice());
        case NbdProtocol.COMMAND_WRITE -> disk.write(request.offset(), data.slice());
        case NbdProtocol.COMMAND_FLUSH -> disk.flush();
        default -> {
          return NbdProtocol.ERROR_INVALID;
        }
      }
      return 0;
    } catch (IOException | RuntimeException e) {
      log.debug("{} {} failed", name, request, e);
      return NbdProtocol.ERROR_IO;
    }
  }

  private void ended(Throwable cause) {
    if (!over && !(cause instanceof ClosedChannelException) && !(cause instanceof EOFException)) {
      log.warn("{} ends: {}", name, cause.toString());
    }
  }

  void close() {
    over = true;
    try {
      channel.close();
    } catch (IOException e) {
      log.debug("{} was not closed well", name, e);
    }
  }
}
