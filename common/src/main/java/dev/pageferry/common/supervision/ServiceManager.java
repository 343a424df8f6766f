package dev.pageferry.common.supervision;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The service manager that started this process, if it asks to be told how it fares (systemd's {@code Type=notify}, or anything
 * else that sets {@code NOTIFY_SOCKET}). What cannot be told is logged, and nothing ends for that.
 */
public final class ServiceManager {
  private static final String SOCKET = "NOTIFY_SOCKET";
  private static final String PATIENCE = "WATCHDOG_USEC";
  private static final String WATCHED = "WATCHDOG_PID";
  private static final int NANOS_PER_MICRO = 1000;

  private final Optional<String> socket;
  private final Optional<Duration> patience;
  /** That the server answers could not be told: the next beat says it, too. */
  private volatile boolean owesReady;

  private ServiceManager(Optional<String> socket, Optional<Duration> patience) {
    this.socket = socket;
    this.patience = patience;
  }

  /** @param pid of this process: its environment may be that of its parent */
  public static ServiceManager of(Map<String, String> environment, long pid) {
    Optional<String> socket = Optional.ofNullable(environment.get(SOCKET)).filter(each -> !each.isEmpty());
    boolean isOurs = environment.getOrDefault(WATCHED, String.valueOf(pid)).equals(String.valueOf(pid));
    return new ServiceManager(socket, socket.filter(each -> isOurs)
        .flatMap(each -> Optional.ofNullable(environment.get(PATIENCE))).flatMap(ServiceManager::micros));
  }

  private static Optional<Duration> micros(String text) {
    try {
      long micros = Long.parseLong(text);
      return micros <= 0
          ? Optional.empty()
          : Optional.of(Duration.ofNanos(Math.multiplyExact(micros, NANOS_PER_MICRO)));
    } catch (NumberFormatException | ArithmeticException e) {
      return Optional.empty();
    }
  }

  /** After how long without a {@link #alive} this process is ended; empty: nobody waits for that. */
  Optional<Duration> patience() {
    return patience;
  }

  /** The server answers. */
  public void ready() {
    owesReady = !tell("READY=1");
  }

  void alive() {
    if (owesReady) {
      ready();
    }
    boolean _ = tell("WATCHDOG=1");
  }

  /** It begins to end. */
  public void stopping() {
    boolean _ = tell("STOPPING=1");
  }

  /** Whether it has been told, or wants to hear nothing. */
  private boolean tell(String state) {
    if (socket.isPresent()) {
      try {
        LocalDatagrams.send(socket.get(), state);
      } catch (IOException e) {
        // Not a constant: settings say how logs are written, and come first.
        Logger log = LoggerFactory.getLogger(ServiceManager.class);
        log.warn("the service manager was not told {}: {}", state, e.getMessage());
        return false;
      }
    }
    return true;
  }
}
