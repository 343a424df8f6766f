package dev.pageferry.agent.migration;

/** Versions of the migration protocol that this program speaks. Each release speaks its own and the one before. */
public final class ProtocolVersion {
  public static final int LOWEST = 1;
  public static final int CURRENT = 1;

  private ProtocolVersion() {
  }
}
