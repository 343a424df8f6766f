package dev.pageferry.common.identity;

/**
 * Counts the owners of a VM. Every change of owner, and every boot, takes the next one; a permission that names an
 * older epoch is void.
 *
 * @param value 1 or more
 */
public record OwnershipEpoch(long value) implements Comparable<OwnershipEpoch> {
  public OwnershipEpoch {
    if (value < 1) {
      throw new IllegalArgumentException("ownership epoch %d is not positive".formatted(value));
    }
  }

  public OwnershipEpoch next() {
    return new OwnershipEpoch(Math.addExact(value, 1));
  }

  @Override
  public int compareTo(OwnershipEpoch other) {
    return Long.compare(value, other.value);
  }

  @Override
  public String toString() {
    return Long.toString(value);
  }
}
