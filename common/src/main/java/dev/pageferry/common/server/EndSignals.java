package dev.pageferry.common.server;

import java.util.List;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * The signals that ask a server to end. Not a shutdown hook: after one the JVM ends with 128 and the number of the signal, which
 * service managers take for a failure.
 */
final class EndSignals {
  private static final List<String> NAMES = List.of("TERM", "INT", "HUP");

  private EndSignals() {
  }

  /** Calls back, on a thread of the JVM's own, at each of them that this process was not started to ignore (nohup). */
  static void await(Runnable asked) {
    for (String name : NAMES) {
      Signal signal = new Signal(name);
      if (Signal.handle(signal, received -> asked.run()) == SignalHandler.SIG_IGN) {
        Signal.handle(signal, SignalHandler.SIG_IGN);
      }
    }
  }
}
