package dev.pageferry.coordinator.cli;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.JoinNetworkRequest;
import dev.pageferry.proto.cluster.v1.NetworkJoined;
import dev.pageferry.proto.cluster.v1.Vtep;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import java.net.DatagramSocket;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.util.Iterator;
import java.util.List;

/** Being on a network of VMs for a while: the coordinator tells all hosts of this process' socket, until this is closed. */
final class NetworkVisit implements AutoCloseable {
  private final CancellableContext call = Context.ROOT.withCancellation();
  private final List<InetSocketAddress> hosts;

  /**
   * Joins.
   *
   * @param address of the socket, as hosts reach it
   * @throws Failure if the coordinator does not let us in
   */
  NetworkVisit(Connection connection, HostPort address, int vni) {
    JoinNetworkRequest request = JoinNetworkRequest.newBuilder().setAddress(address.toString()).setVni(vni).build();
    try {
      // The call goes on behind the first message, and with it the visit.
      NetworkJoined joined = call.wrap(() -> connection.patiently((ClusterGrpc.ClusterBlockingStub stub) -> {
        Iterator<NetworkJoined> messages = stub.joinNetwork(request);
        return messages.next();
      })).call();
      hosts = sockets(joined.getVtepsList());
    } catch (Failure e) {
      close();
      throw e;
    } catch (Exception e) {
      close();
      throw new Failure(ExitCode.FAILED, "the network could not be joined; %s; try again".formatted(e), e);
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
  static String localAddressTowards(InetSocketAddress other) {
    try (DatagramSocket socket = new DatagramSocket()) {
      socket.connect(other);
      return socket.getLocalAddress().getHostAddress();
    } catch (SocketException e) {
      throw new Failure(ExitCode.FAILED, "%s cannot be reached from here; %s; check routes and addresses".formatted(
          other, e.getMessage()), e);
    }
  }

  @Override
  public void close() {
    call.cancel(null);
  }
}
