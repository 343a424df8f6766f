package dev.pageferry.agent.transport;

import dev.pageferry.agent.migration.DestinationLink;
import dev.pageferry.agent.migration.PageSink;
import dev.pageferry.agent.wire.StreamProof;
import dev.pageferry.common.identity.HostId;
import io.netty.channel.Channel;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** The destination's sockets of one migration. */
final class NettyDestinationLink implements DestinationLink, ControlledLink {
  private final ControlChannel control;
  private final LongAdder bytesReceived;
  private final List<Channel> streams = new CopyOnWriteArrayList<>();
  /** Guarded by this: what data streams must prove, once they may come. */
  private @Nullable Admission admission;

  private record Admission(int count, byte[] sessionKey, PageSink sink, Set<Integer> proven) {
  }

  private final Optional<HostId> peer;

  /** @param peer the host at the other end, by its certificate; empty: streams are plain */
  NettyDestinationLink(ControlChannel control, LongAdder bytesReceived, Optional<HostId> peer) {
    this.peer = peer;
    this.control = control;
    this.bytesReceived = bytesReceived;
  }

  @Override
  public synchronized void acceptStreams(int count, byte[] sessionKey, PageSink sink) {
    admission = new Admission(count, sessionKey, sink, new HashSet<>());
  }

  /** The sink for a data stream that proves, for the first time, that it belongs here. */
  synchronized Optional<PageSink> admit(int stream, byte[] proof, Channel channel) {
    if (admission == null || !MigrationTls.peer(channel).equals(peer) || !control.isOpen() || stream < 0
        || stream >= admission.count()
        || !StreamProof.matches(admission.sessionKey(), stream, proof) || !admission.proven().add(stream)) {
      return Optional.empty();
    }
    streams.add(channel);
    return Optional.of(admission.sink());
  }

  @Override
  public Optional<HostId> peer() {
    return peer;
  }

  LongAdder byteCounter() {
    return bytesReceived;
  }

  @Override
  public long bytesReceived() {
    return bytesReceived.sum();
  }

  @Override
  public ControlChannel control() {
    return control;
  }

  @Override
  public void close() {
    control.close();
    // A stream that was admitted just before is in the list now, and none is admitted any more.
    synchronized (this) {
      admission = null;
      for (Channel each : streams) {
        each.close();
      }
    }
  }
}
