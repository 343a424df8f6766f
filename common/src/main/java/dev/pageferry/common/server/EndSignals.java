package dev.pageferry.common.server;

import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * The signals that ask a server to end. Not a shutdown hook: after one the JVM ends with 128 and the number of the signal, which
 * service managers take for a failure.
 */
final class EndSignals {
  private static final Logger log = LoggerFactory.getLogger(EndSignals.class);
  private static final List<String> NAMES = List.of("TERM", "INT", "HUP");

  private EndSignals() {
  }

  /** Calls back, on a thread of the JVM's own, at each of them that this process was not started to ignore (nohup). */
  static void await(Runnable asked) {
    for (String name : NAMES) {
      try {
        Signal signal = new Signal(name);
        if (Signal.handle(signal, received -> asked.run()) == SignalHandler.SIG_IGN) {
          Signal.handle(signal, SignalHandler.SIG_IGN);
        }
      } catch (IllegalArgumentException e) {
        // A JVM that was started with -Xrs leaves it to the system, which ends the process.
        log.warn("signal {} is not handled by this JVM: {}", name, e.getMessage());
      }
    }
  }
}
