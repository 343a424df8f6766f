package dev.pageferry.common.identity;

/**
 * One life of an agent process. A restarted agent has another incarnation and owns nothing of the one before.
 *
 * @param value 1 to 64 characters: letters, digits, '-', '_' and '.'
 */
public record Incarnation(String value) {
  public Incarnation {
    Names.check("Incarnation", value);
  }

  @Override
  public String toString() {
    return value;
  }
}
