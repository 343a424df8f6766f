package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.HostId;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * By which connections hosts call. A process that ends closes its own, and so is known to be silent before its next heartbeat is
 * late. That decides nothing: a connection may break between two that live. It is a reason to look.
 */
public final class HostConnections {
  /** The one that a host's last heartbeat came by. */
  private final Map<HostId, Connection> latest = new ConcurrentHashMap<>();

  /** One connection, of whoever it is. */
  public static final class Connection {
    private volatile boolean ended;

    /** It is gone: nobody is heard by it any more. */
    public void end() {
      ended = true;
    }
  }

  /** A host is heard by a connection; if that has ended since, what was heard is from before. */
  public void heard(HostId host, Connection connection) {
    // One call may overtake another: a connection that lives is not given up for one that has ended.
    latest.merge(host, connection, (before, next) -> next.ended && !before.ended ? before : next);
  }

  /** Whether the host was heard last by a connection that has ended. */
  public boolean isBroken(HostId host) {
    Connection last = latest.get(host);
    return last != null && last.ended;
  }
}
