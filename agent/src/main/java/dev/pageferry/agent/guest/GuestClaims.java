package dev.pageferry.agent.guest;

import dev.pageferry.common.identity.VmId;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * What is being done with each guest of this host: one thing at a time. The ownership row lets a VM have one operation
 * pending, but the work for one that was aborted may still go on here when the next one is begun.
 */
public final class GuestClaims {
  private final ConcurrentMap<VmId, String> claims = new ConcurrentHashMap<>();

  /** Ends with {@link #close()}, once nothing more is done with the guest. Idempotent. */
  public interface Claim extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * Claims a guest.
   *
   * @param what is done with it, for those who come too late
   * @throws IllegalStateException if something else is being done
   */
  public Claim take(VmId vm, String what) {
    String other = claims.putIfAbsent(vm, what);
    if (other != null) {
      throw new IllegalStateException("VM %s is %s; try again when that has ended".formatted(vm, other));
    }
    return () -> claims.remove(vm, what);
  }

  /** @throws IllegalStateException if something is being done with the guest */
  public void checkFree(VmId vm) {
    String what = claims.get(vm);
    if (what != null) {
      throw new IllegalStateException("VM %s is %s; try again when that has ended".formatted(vm, what));
    }
  }
}
