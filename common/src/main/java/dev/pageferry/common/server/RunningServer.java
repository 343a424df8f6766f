package dev.pageferry.common.server;

import dev.pageferry.common.supervision.Watchdog;
import java.util.List;

/** A server that runs until it is closed. */
public interface RunningServer extends AutoCloseable {
  /** What has to turn for it to be alive: for the watchdog of the service manager. None may wait for storage or for another program. */
  default List<Watchdog.Loop> loops() {
    return List.of();
  }
}
