package dev.pageferry.common.identity;

/**
 * A virtual machine, for as long as it exists. Never reused.
 *
 * @param value 1 to 64 characters: letters, digits, '-', '_' and '.'
 */
public record VmId(String value) {
  public VmId {
    Names.check("VmId", value);
  }

  @Override
  public String toString() {
    return value;
  }
}
