package dev.pageferry.coordinator.plans;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Timestamp;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.Rolling;
import dev.pageferry.proto.records.v1.PlanRecord;
import dev.pageferry.proto.records.v1.RollingRecord;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The last plan of each host, and the last one for all hosts. Whoever changes one sees to it that nobody else does meanwhile. */
public final class MovePlans {
  private static final String PREFIX = "plans/";
  private static final String ROLLING = "rolling";

  private final RecordStore store;
  private final Map<String, MovePlan> plans = new ConcurrentHashMap<>();

  public MovePlans(RecordStore store) {
    this.store = store;
    store.list(PREFIX).forEach(each -> plans.put(each.key(), parse(each.value(), each.key())));
  }

  /** The newest first. */
  public List<MovePlan> list() {
    return plans.values().stream()
        .sorted(Comparator.<MovePlan>comparingLong(each -> each.getBegunAt().getSeconds())
            .thenComparing(each -> each.getBegunAt().getNanos()).reversed().thenComparing(MovePlan::getId))
        .toList();
  }

  /** The last one of a host. */
  public Optional<MovePlan> of(HostId host) {
    return Optional.ofNullable(plans.get(key(host.value())));
  }

  /** The last one that is of no host in particular. */
  public Optional<MovePlan> ofAll() {
    return Optional.ofNullable(plans.get(key("")));
  }

  /** The drain because of which no VM may come to the host; empty: they may. */
  public Optional<MovePlan> drain(HostId host) {
    return of(host).filter(each -> each.getKind() == MovePlan.Kind.DRAIN);
  }

  /** Keeps a plan, in place of the last one of its host. */
  public void put(MovePlan plan) {
    String key = key(plan.getHost());
    if (!plan.equals(plans.get(key))) {
      boolean _ = store.commit(
          new Transaction().put(key, PlanRecord.newBuilder().setPlan(plan).build().toByteArray()));
      plans.put(key, plan);
    }
  }

  /** Forgets the last plan of a host, in the write that forgets the host. */
  public void forget(HostId host, Transaction forgetting) {
    boolean _ = store.commit(forgetting.delete(key(host.value())));
    plans.remove(key(host.value()));
  }

  /** A rolling drain that has not come to its end; empty: there is none. */
  public Optional<Rolling> rolling() {
    return store.get(ROLLING).map(each -> {
      try {
        return RollingRecord.parseFrom(each.value()).getRolling();
      } catch (InvalidProtocolBufferException e) {
        throw new IllegalStateException("record %s is damaged".formatted(ROLLING), e);
      }
    });
  }

  /** Keeps how far it is; empty: it is over. */
  public void putRolling(Optional<Rolling> rolling) {
    Transaction transaction = new Transaction();
    boolean _ = store.commit(rolling
        .map(each -> transaction.put(ROLLING, RollingRecord.newBuilder().setRolling(each).build().toByteArray()))
        .orElseGet(() -> transaction.delete(ROLLING)));
  }

  /** @param millis since 1970-01-01 UTC */
  public static Timestamp timestamp(long millis) {
    return Timestamp.newBuilder().setSeconds(Math.floorDiv(millis, 1000L))
        .setNanos((int) Math.floorMod(millis, 1000L) * 1_000_000).build();
  }

  private static String key(String host) {
    return host.isEmpty() ? PREFIX + "cluster" : PREFIX + "hosts/" + host;
  }

  private static MovePlan parse(byte[] value, String key) {
    try {
      return PlanRecord.parseFrom(value).getPlan();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(key), e);
    }
  }
}
