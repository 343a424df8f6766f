package dev.pageferry.ferry.ping;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.packet.IcmpEcho;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.common.packet.Ipv4Packet;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmPing;
import dev.pageferry.proto.cluster.v1.Vtep;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Pings a VM as a client on its network would: as a tunnel end of its own, which learns from what it hears where the VM is.
 * A client without an address in the VM's subnet needs none: what it is asked for by ARP it answers itself.
 */
public final class Pinger implements AutoCloseable {
  private static final int DATA_BYTES = 56;
  private static final Duration FINDING = Duration.ofSeconds(5);
  /** A client asks again where an address is that has fallen silent for so long. */
  private static final long SILENCE_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long LAST_ANSWERS_NANOS = TimeUnit.SECONDS.toNanos(2);

  private final Vm vm;
  private final NetworkCard card;
  private final Connection connection;
  private final VxlanStation station;
  private final NetworkVisit visit;
  private final int identifier;
  private final PingStatistics statistics = new PingStatistics();
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
    // Link-local (RFC 3927): nobody's in the VM's subnet.
    Ipv4Address address = new Ipv4Address(169 << 24 | 254 << 16 | 256 + random.nextInt(0xFE00));
    identifier = random.nextInt(1 << 16);
    try {
      List<Vtep> vteps = connection.read(stub -> stub.listVteps(ListVtepsRequest.getDefaultInstance()))
          .getVtepsList().stream().filter(Vtep::getHost).toList();
      List<InetSocketAddress> hosts = NetworkVisit.sockets(vteps);
      if (hosts.isEmpty()) {
        throw new Failure(ExitCode.REFUSED, "no host is on the network; see 'ferry vtep list'");
      }
      InetAddress local = NetworkVisit.localAddressTowards(hosts.getFirst());
      station = new VxlanStation(card.vni(), address, local, this::received);
      visit = new NetworkVisit(connection, new HostPort(local.getHostAddress(), station.socket().getPort()),
          card.vni());
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "no socket for the ping; %s; try again".formatted(IoFailure.sentence(e)), e);
    }
    station.tell(visit.hosts());
    find();
  }

  private void find() {
    try {
      if (station.find(card.mac(), card.address(), FINDING)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    close();
    throw new Failure(ExitCode.FAILED,
        "VM %s does not answer for %s (%s) on network %d; a VM that is paused answers when it runs again; see 'ferry vm show %s'"
            .formatted(vm.getName(), card.address(), card.mac(), card.vni(), vm.getName()));
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
        station.ask(card.address());
      }
      int sequence = i & 0xFFFF;
      statistics.sent(sequence, now);
      station.send(IcmpEcho.request(station.towards(card.mac(), card.address()), identifier, sequence, DATA_BYTES));
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

  private void received(Ipv4Packet packet, long nanos) {
    if (packet.source().equals(card.address())) {
      IcmpEcho.of(packet).filter(echo -> !echo.isRequest() && echo.identifier() == identifier)
          .ifPresent(echo -> statistics.answered(echo.sequence(), nanos));
    }
  }

  @Override
  public void close() {
    stopped = true;
    visit.close();
    try {
      station.close();
    } catch (IOException e) {
      // Nothing is lost with it.
      return;
    } finally {
      connection.close();
    }
  }
}
