package dev.pageferry.agent.service;

/** Guest RAM does not hold what the guest has written there. */
public final class DamagedException extends Exception {
  private static final long serialVersionUID = 1L;

  DamagedException(String message) {
    super(message);
  }
}
