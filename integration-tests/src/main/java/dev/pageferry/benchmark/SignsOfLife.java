package dev.pageferry.benchmark;

import com.google.protobuf.ByteString;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.ConsoleOutput;
import dev.pageferry.proto.cluster.v1.UseConsoleRequest;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The longest time for which a guest that writes to its serial console at short intervals was silent. What it writes is noticed
 * by asking again and again, a millisecond or a few apart; so that much may be added to a gap.
 */
final class SignsOfLife implements AutoCloseable {
  private static final Duration BETWEEN_LOOKS = Duration.ofMillis(1);
  private static final int WAIT_MILLIS = 5;

  private final Thread thread;
  private long lastNanos;
  private long longestNanos;
  private volatile boolean closed;

  /** Whether there is something new. */
  private interface Source {
    boolean heard() throws IOException, InterruptedException;
  }

  private SignsOfLife(Source source, Runnable atEnd) {
    thread = Thread.ofVirtual().start(() -> {
      try {
        while (!closed) {
          if (source.heard()) {
            heard(System.nanoTime());
          }
        }
      } catch (IOException e) {
        System.err.println("console: " + e.getMessage());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        atEnd.run();
      }
    });
  }

  /** By the agents' consoles, through the coordinator, wherever the guest is. */
  static SignsOfLife of(String coordinator, String vm) {
    ManagedChannel channel = NettyChannelBuilder.forTarget(coordinator).usePlaintext().build();
    ClusterGrpc.ClusterBlockingStub stub = ClusterGrpc.newBlockingStub(channel);
    UseConsoleRequest.Builder request = UseConsoleRequest.newBuilder().setName(vm).setWaitMillis(WAIT_MILLIS);
    return new SignsOfLife(() -> {
      try {
        ConsoleOutput output = stub.withDeadlineAfter(1, TimeUnit.SECONDS).useConsole(request.build());
        ByteString data = output.getData();
        boolean isNew = !data.isEmpty() && request.hasOffset();
        request.setOffset(output.getOffset() + data.size());
        return isNew;
      } catch (StatusRuntimeException e) {
        // It is between two hosts.
        Thread.sleep(BETWEEN_LOOKS);
        return false;
      }
    }, channel::shutdownNow);
  }

  /** By the files that QEMUs write what they hear to. */
  static SignsOfLife of(List<Path> files) {
    long[] sizes = new long[files.size()];
    return new SignsOfLife(() -> {
      Thread.sleep(BETWEEN_LOOKS);
      boolean isNew = false;
      for (int i = 0; i < sizes.length; i++) {
        long size = Files.size(files.get(i));
        // A QEMU that starts begins its file anew.
        isNew |= size > sizes[i];
        sizes[i] = size;
      }
      return isNew;
    }, () -> {
    });
  }

  private synchronized void heard(long now) {
    longestNanos = Math.max(longestNanos, now - lastNanos);
    lastNanos = now;
  }

  /** From now on only what follows counts. */
  synchronized void begin() {
    lastNanos = System.nanoTime();
    longestNanos = 0;
  }

  /** @return milliseconds of the longest silence since {@link #begin()} */
  synchronized double longestMillis() {
    return Math.max(longestNanos, System.nanoTime() - lastNanos) / 1e6;
  }

  @Override
  public void close() {
    closed = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
