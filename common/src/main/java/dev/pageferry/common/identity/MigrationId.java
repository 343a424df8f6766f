package dev.pageferry.common.identity;

/**
 * One attempt to move one VM.
 *
 * @param value 1 to 64 characters: letters, digits, '-', '_' and '.'
 */
public record MigrationId(String value) {
  public MigrationId {
    Names.check("MigrationId", value);
  }

  @Override
  public String toString() {
    return value;
  }
}
