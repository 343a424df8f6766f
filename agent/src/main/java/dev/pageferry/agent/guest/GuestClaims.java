package dev.pageferry.agent.guest;

import dev.pageferry.common.identity.VmId;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.Collectors;

/**
 * What is being done with each guest of this host: one thing at a time. The ownership row lets a VM have one operation
 * pending, but the work for one that was aborted may still go on here when the next one is begun.
 */
public final class GuestClaims {
  private final ConcurrentMap<VmId, Work> claims = new ConcurrentHashMap<>();

  /** Ends with {@link #close()}, once nothing more is done with the guest. Idempotent. */
  public interface Claim extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * What is being done.
   *
   * @param builds whether the guest is to come to be here: then its end needs nothing of what is being done
   */
  private record Work(String what, boolean builds) {
  }

  /**
   * Claims a guest that is here.
   *
   * @param what is done with it, for those who come too late
   * @throws IllegalStateException if something else is being done
   */
  public Claim take(VmId vm, String what) {
    return take(vm, new Work(what, false));
  }

  /**
   * Claims a guest that is to be built here. It excludes others as any claim does, but not that the guest is destroyed.
   *
   * @throws IllegalStateException if something else is being done
   */
  public Claim takeToBuild(VmId vm, String what) {
    return take(vm, new Work(what, true));
  }

  private Claim take(VmId vm, Work work) {
    Work other = claims.putIfAbsent(vm, work);
    if (other != null) {
      throw tooLate(vm, other);
    }
    return () -> claims.remove(vm, work);
  }

  /** The guests that are being built or restored here right now. */
  public Set<VmId> building() {
    return claims.entrySet().stream().filter(each -> each.getValue().builds()).map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  /** How many guests something is being done with that may take them away. */
  public long leaving() {
    return claims.values().stream().filter(each -> !each.builds()).count();
  }

  /** Whether something is being done with the guest. */
  public boolean isTaken(VmId vm) {
    return claims.containsKey(vm);
  }

  /** @throws IllegalStateException if something is being done with the guest that must not lose it */
  public void checkDestroyable(VmId vm) {
    Work work = claims.get(vm);
    if (work != null && !work.builds()) {
      throw tooLate(vm, work);
    }
  }

  private static IllegalStateException tooLate(VmId vm, Work work) {
    return new IllegalStateException("VM %s is %s; try again when that has ended".formatted(vm, work.what()));
  }
}
