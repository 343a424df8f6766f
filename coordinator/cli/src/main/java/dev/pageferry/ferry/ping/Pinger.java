package dev.pageferry.ferry.ping;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.packet.ArpPacket;
import dev.pageferry.common.packet.Endpoints;
import dev.pageferry.common.packet.EthernetFrame;
import dev.pageferry.common.packet.IcmpEcho;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.MacAddress;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.packet.VxlanHeader;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmPing;
import dev.pageferry.proto.cluster.v1.Vtep;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.security.SecureRandom;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Pings a VM as a client on its network would: as a tunnel end of its own, which learns from what it hears where the VM is.
 * A client without an address in the VM's subnet needs none: what it is asked for by ARP it answers itself.
 */
public final class Pinger implements AutoCloseable {
  private static final int DATA_BYTES = 56;
  private static final int RECEIVE_BYTES = 2048;
  private static final long ASK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
  private static final long RESOLVE_NANOS = TimeUnit.SECONDS.toNanos(5);
  /** A client asks again where an address is that has fallen silent for so long. */
  private static final long SILENCE_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long LAST_ANSWERS_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final Vm vm;
  private final NetworkCard card;
  private final Connection connection;
  private final DatagramChannel socket;
  private final NetworkVisit visit;
  private final MacAddress self;
  private final Ipv4Address selfAddress;
  private final int identifier;
  private final PingStatistics statistics = new PingStatistics();
  private final CountDownLatch resolved = new CountDownLatch(1);
  private final Thread receiver;
  /** Where the VM's frames came from last. */
  private volatile @Nullable InetSocketAddress host;
  private volatile boolean stopped;

  /**
   * Joins the VM's network and finds the VM.
   *
   * @param connection of its own; closed with this
   * @throws Failure if it cannot be joined, or the VM does not answer
   */
  public Pinger(Connection connection, Vm vm, int nic) {
    this.connection = connection;
    this.vm = vm;
    this.card = NetworkCard.parse(vm.getNics(nic) + ",ip=" + vm.getAddresses(nic));
    SecureRandom random = new SecureRandom();
    self = new MacAddress(0x02_00_00_00_00_00L | random.nextLong() & 0xFF_FFFF_FFFFL);
    // Link-local (RFC 3927): nobody's in the VM's subnet.
    selfAddress = new Ipv4Address(169 << 24 | 254 << 16 | 256 + random.nextInt(0xFE00));
    identifier = random.nextInt(1 << 16);
    try {
      List<Vtep> vteps = connection.read(stub -> stub.listVteps(ListVtepsRequest.getDefaultInstance()))
          .getVtepsList().stream().filter(Vtep::getHost).toList();
      List<InetSocketAddress> hosts = NetworkVisit.sockets(vteps);
      if (hosts.isEmpty()) {
        throw new Failure(ExitCode.REFUSED, "no host is on the network; see 'ferry vtep list'");
      }
      String local = NetworkVisit.localAddressTowards(hosts.getFirst());
      socket = DatagramChannel.open().bind(new InetSocketAddress(local, 0));
      int port = ((InetSocketAddress) socket.getLocalAddress()).getPort();
      visit = new NetworkVisit(connection, new HostPort(local, port), card.vni());
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "no socket for the ping; %s; try again".formatted(IoFailure.sentence(e)), e);
    }
    receiver = Thread.ofPlatform().daemon().name("ping-receiver").start(this::receive);
    resolve();
  }

  private void resolve() {
    long end = System.nanoTime() + RESOLVE_NANOS;
    try {
      do {
        ask();
        if (resolved.await(ASK_AGAIN_NANOS, TimeUnit.NANOSECONDS)) {
          return;
        }
      } while (System.nanoTime() - end < 0 && !stopped);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    close();
    throw new Failure(ExitCode.FAILED,
        "VM %s does not answer for %s (%s) on network %d; a VM that is paused answers when it runs again; see 'ferry vm show %s'"
            .formatted(vm.getName(), card.address(), card.mac(), card.vni(), vm.getName()));
  }

  /** Asks all hosts where the address is. */
  private void ask() {
    byte[] question = ArpPacket.request(self, selfAddress, card.address());
    visit.hosts().forEach(each -> send(each, question));
  }

  /**
   * Sends requests until there were so many, or until {@link #stop}.
   *
   * @param count 0: without end
   */
  public VmPing run(long intervalNanos, int count) {
    long next = System.nanoTime();
    long askedNanos = next;
    for (int i = 0; !stopped && (count == 0 || i < count); i++) {
      long now = System.nanoTime();
      while (now - next < 0 && !stopped) {
        LockSupport.parkNanos(next - now);
        now = System.nanoTime();
      }
      if (statistics.silentNanos(now) > SILENCE_NANOS && now - askedNanos > SILENCE_NANOS) {
        askedNanos = now;
        ask();
      }
      int sequence = i & 0xFFFF;
      statistics.sent(sequence, now);
      InetSocketAddress target = host;
      if (target != null) {
        send(target, IcmpEcho.request(new Endpoints(self, selfAddress, card.mac(), card.address()), identifier,
            sequence, DATA_BYTES));
      }
      // What was missed is not made up for.
      next = Math.max(next + intervalNanos, now);
    }
    awaitLastAnswers();
    return report();
  }

  private void awaitLastAnswers() {
    long end = System.nanoTime() + LAST_ANSWERS_NANOS;
    while (!statistics.isComplete() && System.nanoTime() - end < 0) {
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
    }
    statistics.ended();
  }

  /** Its part of a line of progress. */
  public String line() {
    return statistics.line();
  }

  public VmPing report() {
    return statistics.toProto().setName(vm.getName()).setNic(card.toString()).setAddress(card.address().toString())
        .build();
  }

  /** Ends {@link #run} early. */
  public void stop() {
    stopped = true;
  }

  private void send(InetSocketAddress target, byte[] frame) {
    ByteBuffer datagram = ByteBuffer.allocate(VxlanHeader.BYTES + frame.length)
        .putLong(VxlanHeader.encode(card.vni())).put(frame).flip();
    try {
      socket.send(datagram, target);
    } catch (IOException e) {
      // A host that is gone refuses; the request counts as lost.
      return;
    }
  }

  private void receive() {
    ByteBuffer buffer = ByteBuffer.allocate(RECEIVE_BYTES);
    while (true) {
      try {
        InetSocketAddress from = (InetSocketAddress) socket.receive(buffer.clear());
        long now = System.nanoTime();
        if (from != null && buffer.flip().remaining() >= VxlanHeader.BYTES + EthernetFrame.HEADER_BYTES) {
          long header = buffer.getLong();
          byte[] frame = new byte[buffer.remaining()];
          buffer.get(frame);
          if (VxlanHeader.vni(header) == card.vni() && EthernetFrame.isWellFormed(frame)) {
            received(from, VxlanHeader.mayBeLearned(header), frame, now);
          }
        }
      } catch (ClosedChannelException e) {
        return;
      } catch (IOException e) {
        // An ICMP error for something sent before.
        continue;
      }
    }
  }

  private void received(InetSocketAddress from, boolean learns, byte[] frame, long now) {
    if (EthernetFrame.source(frame).equals(card.mac()) && learns) {
      host = from;
      resolved.countDown();
    }
    if (EthernetFrame.type(frame) == EthernetFrame.TYPE_ARP) {
      ArpPacket.of(frame).filter(arp -> arp.operation() == ArpPacket.REQUEST && arp.target().equals(selfAddress))
          .ifPresent(arp -> send(from, arp.reply(self)));
    } else if (EthernetFrame.type(frame) == EthernetFrame.TYPE_IPV4
        && EthernetFrame.destination(frame).equals(self)) {
      Ipv4Packet.of(frame).filter(packet -> packet.source().equals(card.address())).flatMap(IcmpEcho::of)
          .filter(echo -> !echo.isRequest() && echo.identifier() == identifier)
          .ifPresent(echo -> statistics.answered(echo.sequence(), now));
    }
  }

  @Override
  public void close() {
    stopped = true;
    visit.close();
    try {
      socket.close();
    } catch (IOException e) {
      // Nothing is lost with it.
      return;
    } finally {
      connection.close();
    }
  }
}
