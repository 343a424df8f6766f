package dev.pageferry.agent.disk;

/**
 * Cylinders, heads and sectors per track that a VHD footer names for a disk, by the algorithm of Microsoft's
 * <i>Virtual Hard Disk Image Format Specification</i> 1.0, appendix "CHS Calculation". What they multiply to may be less
 * than the disk; programs that know better use the size in bytes.
 *
 * @param cylinders at most 65535
 * @param heads at most 16
 * @param sectorsPerTrack at most 255
 */
record VhdGeometry(int cylinders, int heads, int sectorsPerTrack) {
  private static final long MAX_SECTORS = 65535L * 16 * 255;
  private static final long LARGE_SECTORS = 65535L * 16 * 63;
  private static final int MOST_HEADS = 16;
  private static final int CYLINDERS_PER_HEAD = 1024;

  /** @param sectors of 512 bytes */
  static VhdGeometry of(long sectors) {
    long total = Math.min(sectors, MAX_SECTORS);
    if (total > LARGE_SECTORS) {
      return geometry(total / 255, MOST_HEADS, 255);
    }
    long tracks = total / 17;
    long heads = Math.max(4, Math.ceilDiv(tracks, CYLINDERS_PER_HEAD));
    if (tracks < heads * CYLINDERS_PER_HEAD && heads <= MOST_HEADS) {
      return geometry(tracks, heads, 17);
    }
    tracks = total / 31;
    if (tracks < (long) MOST_HEADS * CYLINDERS_PER_HEAD) {
      return geometry(tracks, MOST_HEADS, 31);
    }
    return geometry(total / 63, MOST_HEADS, 63);
  }

  private static VhdGeometry geometry(long tracks, long heads, int sectorsPerTrack) {
    return new VhdGeometry(Math.toIntExact(tracks / heads), Math.toIntExact(heads), sectorsPerTrack);
  }
}
