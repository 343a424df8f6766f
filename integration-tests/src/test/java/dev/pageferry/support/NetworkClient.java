package dev.pageferry.support;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.DeleteVtepRequest;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.Vtep;
import dev.pageferry.station.BackgroundConversation;
import dev.pageferry.station.Conversation;
import dev.pageferry.station.KeyValueClient;
import dev.pageferry.station.UdpStation;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

/** A station that was added to a test's cluster, and a conversation that it has with a guest. */
public final class NetworkClient implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final String NAME = "client";

  private final TestCluster cluster;
  private final UdpStation station;
  private @Nullable BackgroundConversation current;

  public NetworkClient(TestCluster cluster, int vni) throws IOException {
    this.cluster = cluster;
    this.station = new UdpStation(vni, Ipv4Address.parse("10.200.0.9"));
    cluster.api().addVtep(AddVtepRequest.newBuilder().setName(NAME).setAddress(station.tunnelEnd()).setVni(vni)
        .build());
    hostsMayHaveMoved();
  }

  /** A host that started again listens somewhere else. */
  public void hostsMayHaveMoved() {
    station.tell(cluster.api().listVteps(ListVtepsRequest.getDefaultInstance()).getVtepsList().stream()
        .filter(Vtep::getHost).map(Vtep::getAddress).map(NetworkClient::socket).toList());
  }

  /** Where a host takes VXLAN. */
  public InetSocketAddress hostSocket(String host) {
    return socket(cluster.host(host).getVxlanAddress());
  }

  private static InetSocketAddress socket(String address) {
    HostPort parsed = HostPort.parse(address);
    return new InetSocketAddress(parsed.host(), parsed.port());
  }

  public UdpStation station() {
    return station;
  }

  /** Whether a guest answers ARP. */
  public boolean reaches(Ipv4Address guest) throws InterruptedException {
    return station.resolve(guest, PATIENCE).isPresent();
  }

  /** A conversation in the background. */
  public static final class Talk {
    private final BackgroundConversation conversation;

    private Talk(BackgroundConversation conversation) {
      this.conversation = conversation;
    }

    /** Waits until some more was said. */
    public void goesOn() {
      long before = conversation.changes();
      Awaitility.await("the conversation goes on").atMost(PATIENCE)
          .until(() -> conversation.isOver() || conversation.changes() > before + 20);
      if (conversation.isOver()) {
        Conversation _ = end();
      }
    }

    /** Ends it, and looks whether everything that was said holds. */
    public Conversation end() {
      try {
        return conversation.end();
      } catch (ExecutionException e) {
        throw new AssertionError("the conversation broke", e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }
  }

  /** Begins to talk to a guest's key-value store; one at a time. */
  public Talk talkTo(Ipv4Address guest, long seed) throws InterruptedException {
    if (!reaches(guest)) {
      throw new AssertionError("%s does not answer".formatted(guest));
    }
    BackgroundConversation begun = new BackgroundConversation(new KeyValueClient(station, guest), seed);
    current = begun;
    return new Talk(begun);
  }

  @Override
  public void close() throws IOException {
    if (current != null) {
      current.leave();
    }
    station.close();
    cluster.api().deleteVtep(DeleteVtepRequest.newBuilder().setName(NAME).build());
  }
}
