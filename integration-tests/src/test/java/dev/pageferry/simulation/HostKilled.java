package dev.pageferry.simulation;

import java.io.Serial;

/** Unwinds the threads of a simulated host that is dead. Its ports are sealed by then, so that no handler has effects. */
final class HostKilled extends Error {
  @Serial
  private static final long serialVersionUID = 1L;

  HostKilled(String host) {
    super("host %s is dead".formatted(host), null, false, false);
  }
}
