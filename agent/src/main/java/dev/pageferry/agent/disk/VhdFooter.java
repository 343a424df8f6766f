package dev.pageferry.agent.disk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import java.util.UUID;

/**
 * The footer of a fixed VHD, 512 bytes, big-endian (Microsoft, <i>Virtual Hard Disk Image Format Specification</i> 1.0):
 *
 * <pre>
 *  0 "conectix"            28 creator application      60 disk type, 2 is fixed
 *  8 features, 2           32 creator version          64 checksum
 * 12 format version 1.0    36 creator host system      68 unique id, 16 bytes
 * 16 data offset, all ones 40 original size, bytes     84 saved state, 0 or 1
 * 24 seconds since 2000    48 current size, bytes      85 zeros
 *                          56 geometry: cylinders u16, heads u8, sectors per track u8
 * </pre>
 *
 * The checksum is the one's complement of the sum of all bytes, its own four taken as zero.
 *
 * @param sizeBytes of the disk, without this footer; a multiple of 512
 * @param id of this disk
 * @param created to the second, from 2000 on
 */
record VhdFooter(long sizeBytes, UUID id, Instant created) {
  static final int BYTES = 512;
  static final int SECTOR_BYTES = 512;
  /** What the format can name, and Hyper-V takes: 2040 GiB. */
  static final long MAX_SIZE_BYTES = 2040L << 30;

  private static final byte[] COOKIE = "conectix".getBytes(StandardCharsets.US_ASCII);
  /** As Hyper-V writes it: readers then take the size in bytes, and not the smaller one that the geometry multiplies to. */
  private static final byte[] CREATOR = "win ".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] CREATOR_HOST = "Wi2k".getBytes(StandardCharsets.US_ASCII);
  private static final int CREATOR_VERSION = 0x000A_0000;
  private static final int FEATURES = 2;
  private static final int FORMAT_VERSION = 0x0001_0000;
  private static final long NO_DATA_OFFSET = -1L;
  private static final int FIXED = 2;
  private static final Instant EPOCH = Instant.parse("2000-01-01T00:00:00Z");

  private static final int FEATURES_AT = 8;
  private static final int VERSION_AT = 12;
  private static final int DATA_OFFSET_AT = 16;
  private static final int CREATED_AT = 24;
  private static final int CREATOR_AT = 28;
  private static final int CREATOR_VERSION_AT = 32;
  private static final int CREATOR_HOST_AT = 36;
  private static final int ORIGINAL_SIZE_AT = 40;
  private static final int CURRENT_SIZE_AT = 48;
  private static final int GEOMETRY_AT = 56;
  private static final int TYPE_AT = 60;
  private static final int CHECKSUM_AT = 64;
  private static final int ID_AT = 68;

  /** The 512 bytes, ready to be read from the buffer. */
  ByteBuffer encode() {
    ByteBuffer footer = ByteBuffer.allocate(BYTES).order(ByteOrder.BIG_ENDIAN);
    VhdGeometry geometry = VhdGeometry.of(sizeBytes / SECTOR_BYTES);
    footer.put(0, COOKIE).putInt(FEATURES_AT, FEATURES).putInt(VERSION_AT, FORMAT_VERSION)
        .putLong(DATA_OFFSET_AT, NO_DATA_OFFSET)
        .putInt(CREATED_AT, (int) (created.getEpochSecond() - EPOCH.getEpochSecond())).put(CREATOR_AT, CREATOR)
        .putInt(CREATOR_VERSION_AT, CREATOR_VERSION).put(CREATOR_HOST_AT, CREATOR_HOST)
        .putLong(ORIGINAL_SIZE_AT, sizeBytes).putLong(CURRENT_SIZE_AT, sizeBytes)
        .putShort(GEOMETRY_AT, (short) geometry.cylinders()).put(GEOMETRY_AT + 2, (byte) geometry.heads())
        .put(GEOMETRY_AT + 3, (byte) geometry.sectorsPerTrack()).putInt(TYPE_AT, FIXED)
        .putLong(ID_AT, id.getMostSignificantBits()).putLong(ID_AT + Long.BYTES, id.getLeastSignificantBits());
    footer.putInt(CHECKSUM_AT, checksum(footer));
    return footer;
  }

  /**
   * Reads a footer.
   *
   * @param footer 512 bytes from index 0 on; any byte order
   * @param dataBytes bytes of the file in front of the footer
   * @throws DiskException if this is no footer of a fixed VHD of that size
   */
  static VhdFooter decode(ByteBuffer footer, long dataBytes) throws DiskException {
    ByteBuffer bytes = footer.duplicate().order(ByteOrder.BIG_ENDIAN);
    byte[] cookie = new byte[COOKIE.length];
    bytes.get(0, cookie);
    require(Arrays.equals(cookie, COOKIE), "it has no VHD footer at its end");
    require(bytes.getInt(CHECKSUM_AT) == checksum(bytes), "checksum of its VHD footer is %08x, expected %08x",
        bytes.getInt(CHECKSUM_AT), checksum(bytes));
    require(bytes.getInt(VERSION_AT) >>> 16 == FORMAT_VERSION >>> 16, "VHD version %08x is not known",
        bytes.getInt(VERSION_AT));
    require(bytes.getInt(TYPE_AT) == FIXED, "VHD type %d is not fixed (2); convert it first", bytes.getInt(TYPE_AT));
    long sizeBytes = bytes.getLong(CURRENT_SIZE_AT);
    require(sizeBytes > 0 && sizeBytes % SECTOR_BYTES == 0 && sizeBytes <= dataBytes,
        "its VHD footer names %d bytes, the file has %d in front of it", sizeBytes, dataBytes);
    return new VhdFooter(sizeBytes, new UUID(bytes.getLong(ID_AT), bytes.getLong(ID_AT + Long.BYTES)),
        EPOCH.plusSeconds(Integer.toUnsignedLong(bytes.getInt(CREATED_AT))));
  }

  private static void require(boolean condition, String problem, Object... values) throws DiskException {
    if (!condition) {
      throw new DiskException(problem.formatted(values));
    }
  }

  private static int checksum(ByteBuffer footer) {
    int sum = 0;
    for (int i = 0; i < BYTES; i++) {
      if (i < CHECKSUM_AT || i >= CHECKSUM_AT + Integer.BYTES) {
        sum += footer.get(i) & 0xff;
      }
    }
    return ~sum;
  }
}
