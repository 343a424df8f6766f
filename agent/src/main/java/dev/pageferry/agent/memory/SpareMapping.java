package dev.pageferry.agent.memory;

/**
 * A mapping whose guest has left. What the guest wrote is wiped in the background, piece by piece, until somebody takes
 * the mapping and wipes the rest at once, or until it goes back to the kernel.
 */
final class SpareMapping {
  private static final long PIECE_BYTES = 32L << 20;

  private final Mapping mapping;
  /** Guarded by this. */
  private long wipedBytes;
  /** Guarded by this; nothing touches the memory any more. */
  private boolean taken;

  SpareMapping(Mapping mapping) {
    this.mapping = mapping;
  }

  long bytes() {
    return mapping.bytes();
  }

  /** Wipes for as long as this is spare. */
  void wipe() {
    while (wipePiece()) {
      // One piece after another, so that a taker does not wait for more than one.
    }
  }

  private synchronized boolean wipePiece() {
    long piece = Math.min(PIECE_BYTES, bytes() - wipedBytes);
    if (taken || piece == 0) {
      return false;
    }
    mapping.zero(wipedBytes, piece);
    wipedBytes += piece;
    return true;
  }

  /** The mapping, holding nothing but zeros. */
  Mapping takeWiped() throws InterruptedException {
    long wiped = take();
    try {
      mapping.zeroFrom(wiped);
      return mapping;
    } catch (InterruptedException | RuntimeException | Error e) {
      mapping.close();
      throw e;
    }
  }

  /** Gives the memory back to the kernel. */
  void unmap() {
    take();
    mapping.close();
  }

  private synchronized long take() {
    taken = true;
    return wipedBytes;
  }
}
