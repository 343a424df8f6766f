package dev.pageferry.common.identity;

/**
 * A physical host: the name its operator gave the agent.
 *
 * @param value 1 to 64 characters: letters, digits, '-', '_' and '.'
 */
public record HostId(String value) {
  public HostId {
    Names.check("HostId", value);
  }

  @Override
  public String toString() {
    return value;
  }
}
