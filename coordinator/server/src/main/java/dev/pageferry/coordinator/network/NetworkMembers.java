package dev.pageferry.coordinator.network;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.cluster.v1.Vtep;
import dev.pageferry.proto.records.v1.TunnelEndRecord;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import dev.pageferry.proto.registry.v1.TunnelEnd;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * All ends of VXLAN tunnels: the hosts, those that operators added, and visitors, which are there as long as somebody keeps
 * them. Hosts hear of changes with their next heartbeat.
 */
public final class NetworkMembers {
  private static final Duration VISITORS_COME_AGAIN = Duration.ofSeconds(5);
  private static final String VISITOR = "visitor/";
  private static final String ADDED = "tunnel-ends/";
  /** Each costs every host a copy of every frame that is for all. */
  private static final int MAX_ADDED = 256;
  static final int MAX_VISITORS = 256;

  private final RecordStore store;
  private final HostInventory inventory;
  private final Ticker ticker;
  private final long openedNanos;
  private final boolean isRestart;
  /** Held from the look whether an address is free until it is taken: by no heartbeat, because records are written under it. */
  private final ReentrantLock changes = new ReentrantLock();
  /** Guarded by this. */
  private final Map<String, Vtep> visitors = new TreeMap<>();
  private final Map<HostId, Long> known = new ConcurrentHashMap<>();
  /** Guarded by this. */
  private long visits;

  public NetworkMembers(RecordStore store, HostInventory inventory, Ticker ticker) {
    this.store = store;
    this.inventory = inventory;
    this.ticker = ticker;
    this.openedNanos = ticker.nanos();
    this.isRestart = !inventory.list().isEmpty();
  }

  /**
   * Whether the members are all here. Visitors of an earlier process of this coordinator need a moment to come again; until
   * then hosts go on with what they know.
   */
  public boolean isComplete() {
    return !isRestart || ticker.nanos() - openedNanos > VISITORS_COME_AGAIN.toNanos();
  }

  /** Somebody who is on a network until this is closed. */
  public interface Visit extends AutoCloseable {
    @Override
    void close();
  }

  /** The hosts, and what operators added. */
  public List<Vtep> list() {
    List<Vtep> all = new ArrayList<>(hosts());
    all.addAll(added());
    return all;
  }

  /** Those of hosts. */
  public List<Vtep> hosts() {
    return inventory.list().stream().map(Host::record).filter(each -> !each.getVxlanAddress().isEmpty())
        .map(each -> Vtep.newBuilder().setName(each.getId()).setAddress(each.getVxlanAddress()).setHost(true).build())
        .toList();
  }

  private List<Vtep> added() {
    return store.list(ADDED).stream().map(NetworkMembers::parse)
        .map(each -> Vtep.newBuilder().setName(each.getName()).setAddress(each.getAddress()).setVni(each.getVni())
            .build())
        .toList();
  }

  /** Lets a tunnel end into the networks, or into one, for good. */
  public Vtep add(String name, String wanted, int vni) throws RequestException {
    changes.lock();
    try {
      return addAlone(name, wanted, vni);
    } finally {
      changes.unlock();
    }
  }

  private Vtep addAlone(String name, String wanted, int vni) throws RequestException {
    String address = checkReachable(wanted, vni);
    if (vni == 0) {
      throw new RequestException(Kind.INVALID, "VTEP %s needs a network; give --vni", name);
    }
    try {
      Names.check("VTEP name", name);
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
    if (inventory.find(new HostId(name)).isPresent()) {
      throw new RequestException(Kind.EXISTS, "%s is a host; choose another name", name);
    }
    if (added().size() >= MAX_ADDED) {
      throw new RequestException(Kind.REFUSED, "there are %d tunnel ends already; delete one", MAX_ADDED);
    }
    requireFree(address);
    TunnelEndRecord record = TunnelEndRecord.newBuilder().setName(name).setAddress(address).setVni(vni).build();
    if (!store.commit(new Transaction().ifAbsent(ADDED + name).put(ADDED + name, record.toByteArray()))) {
      throw new RequestException(Kind.EXISTS, "VTEP %s exists already; choose another name", name);
    }
    return Vtep.newBuilder().setName(name).setAddress(address).setVni(vni).build();
  }

  private List<Vtep> everybody() {
    List<Vtep> all = new ArrayList<>(list());
    synchronized (this) {
      all.addAll(visitors.values());
    }
    return all;
  }

  private void requireFree(String address) throws RequestException {
    Optional<Vtep> other = everybody().stream().filter(each -> each.getAddress().equals(address)).findAny();
    if (other.isPresent()) {
      throw new RequestException(Kind.REFUSED, "%s is %s's address already", address, other.get().getName());
    }
  }

  private static InetAddress literal(String host) {
    try {
      return InetAddress.ofLiteral(host);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("'%s' is not an IP address; a VTEP is named by its number, not by a name"
          .formatted(host), e);
    }
  }

  /** @return the address in one form; a name would have to be looked up, by every host, again and again */
  private static String checkReachable(String address, int vni) throws RequestException {
    try {
      HostPort parsed = HostPort.parse(address);
      InetAddress literal = literal(parsed.host());
      if (parsed.port() == 0 || literal.isAnyLocalAddress()) {
        throw new IllegalArgumentException("nothing can be sent to %s".formatted(address));
      }
      if (vni != 0) {
        NetworkCard.checkVni(vni);
      }
      return new HostPort(literal.getHostAddress(), parsed.port()).toString();
    } catch (IllegalArgumentException e) {
      throw new RequestException(Kind.INVALID, "%s", String.valueOf(e.getMessage()));
    }
  }

  /** Shuts a tunnel end out again. */
  public void delete(String name) throws RequestException {
    changes.lock();
    try {
      deleteAlone(name);
    } finally {
      changes.unlock();
    }
  }

  private void deleteAlone(String name) throws RequestException {
    Optional<Versioned> there = store.get(ADDED + name);
    if (there.isEmpty() && hosts().stream().anyMatch(each -> each.getName().equals(name))) {
      throw new RequestException(Kind.REFUSED, "%s is a host, and on the networks as long as its agent is registered",
          name);
    }
    if (there.isEmpty()) {
      throw new RequestException(Kind.NOT_FOUND, "VTEP %s does not exist; see 'ferry vtep list'", name);
    }
    store.commit(new Transaction().delete(ADDED + name));
  }

  /** Lets somebody into a network for a while. */
  public Visit visit(String wanted, int vni) throws RequestException {
    String address = checkReachable(wanted, vni);
    if (vni == 0) {
      throw new RequestException(Kind.INVALID, "%s names no network to visit", address);
    }
    changes.lock();
    try {
      requireFree(address);
      String name = enter(address, vni);
      return () -> leave(name);
    } finally {
      changes.unlock();
    }
  }

  private synchronized String enter(String address, int vni) throws RequestException {
    if (visitors.size() >= MAX_VISITORS) {
      throw new RequestException(Kind.REFUSED, "there are %d visitors already; try again later", MAX_VISITORS);
    }
    // No host or operator can choose a name with a slash.
    String name = VISITOR + ++visits;
    visitors.put(name, Vtep.newBuilder().setName(name).setAddress(address).setVni(vni).build());
    return name;
  }

  private synchronized void leave(String name) {
    visitors.remove(name);
  }

  /** What a host is to know: all members but itself. The version tells different ones apart. */
  public NetworkDirectory directoryFor(HostId host) {
    NetworkDirectory.Builder directory = NetworkDirectory.newBuilder();
    long version = 1;
    for (Vtep each : everybody()) {
      if (!each.getHost() || !each.getName().equals(host.value())) {
        TunnelEnd end = TunnelEnd.newBuilder().setName(each.getName()).setAddress(each.getAddress())
            .setVni(each.getVni()).setAnyPort(!each.getHost() && !each.getName().startsWith(VISITOR)).build();
        directory.addEnds(end);
        version = version * 0x9E3779B97F4A7C15L + end.toByteString().hashCode();
      }
    }
    // 0 is for hosts that know of nobody.
    return directory.setVersion(version == 0 ? 1 : version).build();
  }

  /**
   * A host says which version it has; 0: none.
   *
   * @return what it is to know instead, if that is known here by now
   */
  public Optional<NetworkDirectory> news(HostId host, long version) {
    known.put(host, version);
    NetworkDirectory directory = directoryFor(host);
    boolean isToKnow = directory.getVersion() != version && (isComplete() || version == 0);
    return isToKnow ? Optional.of(directory) : Optional.empty();
  }

  /**
   * Waits until all hosts that are up have the present version.
   *
   * @return whether they have it in time
   */
  public boolean awaitKnown(Duration patience) throws InterruptedException {
    long end = System.nanoTime() + patience.toNanos();
    while (!isKnown()) {
      if (System.nanoTime() - end > 0) {
        return false;
      }
      TimeUnit.MILLISECONDS.sleep(50);
    }
    return true;
  }

  private boolean isKnown() {
    return inventory.list().stream().filter(each -> each.isUp() && !each.record().getVxlanAddress().isEmpty())
        .allMatch(each -> directoryFor(each.id()).getVersion() == known.getOrDefault(each.id(), 0L));
  }

  private static TunnelEndRecord parse(Versioned stored) {
    try {
      return TunnelEndRecord.parseFrom(stored.value());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
