package dev.pageferry.ferry.ping;

import dev.pageferry.common.concurrent.Backoff;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.proto.cluster.v1.JoinNetworkRequest;
import dev.pageferry.proto.cluster.v1.NetworkJoined;
import dev.pageferry.proto.cluster.v1.Vtep;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** Being on a network of VMs for a while: the coordinator tells all hosts of this process' socket, until this is closed. */
final class NetworkVisit implements AutoCloseable {
  /** Not longer than a second: a coordinator that comes back waits 5 s for its visitors, then hosts forget the others. */
  private static final Duration FIRST_WAIT = Duration.ofMillis(200);
  private static final Duration LONGEST_WAIT = Duration.ofSeconds(1);

  private final CancellableContext call = Context.ROOT.withCancellation();
  private final Connection connection;
  private final JoinNetworkRequest request;
  private final CompletableFuture<NetworkJoined> joined = new CompletableFuture<>();
  private final List<InetSocketAddress> hosts;

  /**
   * Joins.
   *
   * @param address of the socket, as hosts reach it
   * @throws Failure if the coordinator does not let us in
   */
  NetworkVisit(Connection connection, HostPort address, int vni) {
    this.connection = connection;
    this.request = JoinNetworkRequest.newBuilder().setAddress(address.toString()).setVni(vni).build();
    Thread.ofVirtual().name("network-visit").start(call.wrap(this::stay));
    try {
      hosts = sockets(joined.get().getVtepsList());
    } catch (ExecutionException e) {
      close();
      throw e.getCause() instanceof Failure failure
          ? failure
          : new Failure(ExitCode.FAILED,
              "the network could not be joined; %s; try again".formatted(e.getCause()), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      close();
      throw new Failure(ExitCode.FAILED, "interrupted while joining the network; nothing was pinged; try again", e);
    }
  }

  /** A coordinator that comes back does not know its visitors any more: joins again, until this is closed. */
  private void stay() {
    Backoff backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, new Random());
    while (!call.isCancelled()) {
      try {
        connection.stream(stub -> stub.joinNetwork(request), answer -> {
          backoff.reset();
          joined.complete(answer);
        });
      } catch (Failure e) {
        if (call.isCancelled() || joined.completeExceptionally(e)) {
          return;
        }
        // At once, and not when the channel's own back-off is over: the hosts forget us soon.
        connection.reconnect();
      }
      try {
        Thread.sleep(backoff.next());
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  static List<InetSocketAddress> sockets(List<Vtep> vteps) {
    return vteps.stream().map(each -> HostPort.parse(each.getAddress()))
        .map(each -> new InetSocketAddress(each.host(), each.port())).filter(each -> !each.isUnresolved()).toList();
  }

  /** Where the hosts take VXLAN. */
  List<InetSocketAddress> hosts() {
    return hosts;
  }

  /** The address of this machine from which it reaches another; nothing is sent. */
  static InetAddress localAddressTowards(InetSocketAddress other) {
    try (DatagramSocket socket = new DatagramSocket()) {
      socket.connect(other);
      return socket.getLocalAddress();
    } catch (SocketException e) {
      throw new Failure(ExitCode.FAILED, "%s cannot be reached from here; %s; check routes and addresses".formatted(
          other, IoFailure.sentence(e)), e);
    }
  }

  @Override
  public void close() {
    call.cancel(null);
  }
}
