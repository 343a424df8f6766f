package dev.pageferry.agent.memory;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A mapping whose guest has left. What the guest wrote is wiped in the background, piece by piece, until somebody takes
 * the mapping and wipes the rest at once, or until it goes back to the kernel.
 */
final class SpareMapping {
  private static final long PIECE_BYTES = 32L << 20;
  private static final Logger log = LoggerFactory.getLogger(SpareMapping.class);

  private final Mapping mapping;
  /** Null: it is in no file. */
  private final @Nullable SharedPlace place;
  /** Guarded by this. */
  private long wipedBytes;
  /** Guarded by this; nothing touches the memory any more. */
  private boolean taken;

  /** @param place where its file is; ends with this. Null: it is in no file */
  SpareMapping(Mapping mapping, @Nullable SharedPlace place) {
    this.mapping = mapping;
    this.place = place;
  }

  long bytes() {
    return mapping.bytes();
  }

  /** Whether it is in a file. */
  boolean isShared() {
    return place != null;
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
      giveBack();
      throw e;
    }
  }

  /** As {@link #takeWiped}, of one in a file, which gets another name. */
  Mapping takeWipedAs(Path file) throws IOException, InterruptedException {
    Mapping wiped = takeWiped();
    boolean isMoved = false;
    try {
      Files.move(shared().file(), file, StandardCopyOption.ATOMIC_MOVE);
      isMoved = true;
      return wiped;
    } finally {
      if (isMoved) {
        removeFile();
      } else {
        giveBack();
      }
    }
  }

  private SharedPlace shared() {
    if (place == null) {
      throw new IllegalStateException("it is in no file");
    }
    return place;
  }

  /** Gives the memory back to the kernel. */
  void unmap() {
    take();
    giveBack();
  }

  private void giveBack() {
    // First: should this process end meanwhile, the memory ends with it, and the file would not.
    removeFile();
    mapping.close();
  }

  /** If it is in one; the memory stays mapped here. Idempotent. */
  void removeFile() {
    try {
      if (place != null) {
        place.close();
      }
    } catch (IOException e) {
      log.warn("{}, which had memory of guests, is not removed: {}", place.file(), e.toString());
    }
  }

  private synchronized long take() {
    taken = true;
    return wipedBytes;
  }
}
