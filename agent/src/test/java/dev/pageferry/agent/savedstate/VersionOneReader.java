package dev.pageferry.agent.savedstate;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32C;

/**
 * Takes a saved state apart as docs/SAVED_STATE.md has version 1, with numbers of its own: what it accepts, a host of the
 * version before accepts.
 */
public final class VersionOneReader {
  private static final int HEADER_BYTES = 32;
  private static final int BLOCK_HEADER_BYTES = 24;
  private static final int TRAILER_BYTES = 16;

  private final ByteBuffer file;

  private VersionOneReader(byte[] bytes) {
    file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Fails unless the whole file is of version 1.
   *
   * @return the metadata
   */
  public static byte[] verify(byte[] bytes) {
    VersionOneReader reader = new VersionOneReader(bytes);
    byte[] metadata = reader.header();
    reader.blocks(HEADER_BYTES + metadata.length);
    return metadata;
  }

  private byte[] header() {
    assertThat(text(0, 8)).as("magic").isEqualTo("PFSTATE1");
    assertThat(file.getShort(8)).as("version; a higher one is refused by hosts of the version before").isEqualTo(
        (short) 1);
    assertThat(file.getShort(10)).as("reserved").isZero();
    int metadataBytes = file.getInt(12);
    assertThat(metadataBytes).as("bytes of metadata").isBetween(1, 1 << 20);
    assertThat(file.getInt(24)).as("bytes of a page").isEqualTo(4096);
    assertThat(file.getInt(28)).as("checksum of the header").isEqualTo(
        crc(0, 28, HEADER_BYTES, metadataBytes));
    byte[] metadata = new byte[metadataBytes];
    file.get(HEADER_BYTES, metadata);
    return metadata;
  }

  private void blocks(int firstBlockAt) {
    int trailerAt = file.capacity() - TRAILER_BYTES;
    assertThat(text(trailerAt + 12, 4)).as("magic of the trailer").isEqualTo("PFSE");
    assertThat(file.getInt(trailerAt + 8)).as("checksum of the trailer").isEqualTo(crc(trailerAt, 8, 0, 0));
    int endAt = Math.toIntExact(file.getLong(trailerAt));
    long pages = file.getLong(16);
    long stored = 0;
    long copies = 0;
    int listed = 0;
    for (int at = firstBlockAt; at < trailerAt;) {
      int tableBytes = file.getInt(at + 8);
      int payloadBytes = file.getInt(at + 12);
      assertThat(text(at, 4)).as("magic of the block at %d", at).isEqualTo("PFBK");
      assertThat(file.getShort(at + 6)).as("reserved").isZero();
      assertThat(file.getInt(at + 20)).as("checksum of the block at %d", at)
          .isEqualTo(crc(at, 20, at + BLOCK_HEADER_BYTES, tableBytes + payloadBytes));
      int table = at + BLOCK_HEADER_BYTES;
      switch (file.get(at + 4)) {
        case 1 -> {
          assertThat(file.get(at + 5)).as("codec").isBetween((byte) 0, (byte) 2);
          assertThat(tableBytes / 8).as("pages of a block").isBetween(1, 256);
          assertThat(file.getInt(at + 16)).as("bytes unpacked").isEqualTo(tableBytes / 8 * 4096);
          stored += tableBytes / 8;
          listed++;
        }
        case 2 -> {
          assertThat(payloadBytes).isZero();
          copies += tableBytes / 16;
          listed++;
        }
        case 3 -> {
          assertThat(at).as("the end block").isEqualTo(endAt);
          assertThat(file.getLong(table + 8)).as("pages stored").isEqualTo(stored).isLessThanOrEqualTo(pages);
          assertThat(file.getLong(table + 16)).as("copies").isEqualTo(copies);
          assertThat(tableBytes).as("offsets of all blocks").isEqualTo(24 + 8 * listed);
        }
        default -> throw new AssertionError("a block of kind %d at %d".formatted(file.get(at + 4), at));
      }
      at += BLOCK_HEADER_BYTES + tableBytes + payloadBytes;
    }
  }

  private String text(int at, int bytes) {
    return new String(file.array(), at, bytes, StandardCharsets.US_ASCII);
  }

  private int crc(int at, int bytes, int thenAt, int thenBytes) {
    CRC32C crc = new CRC32C();
    crc.update(file.array(), at, bytes);
    crc.update(file.array(), thenAt, thenBytes);
    return (int) crc.getValue();
  }
}
