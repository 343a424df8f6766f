package dev.pageferry.agent.savedstate;

import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * Where things are in a saved-state file. All numbers are little-endian.
 *
 * <pre>
 * file   = header, blocks in any order, end block, trailer
 *
 * header   0 "PFSTATE1"           16 pages of the VM, u64     28 CRC32C of [0, 28) and the metadata
 *          8 version, u16         24 bytes of a page, u32     32 metadata
 *         10 0, u16
 *         12 bytes of metadata, u32
 *
 * block    0 "PFBK"                8 bytes of the table, u32  16 bytes of the payload unpacked, u32
 *          4 kind, u8             12 bytes of the payload     20 CRC32C of [0, 20), table and payload
 *          5 codec, u8                                        24 table, payload
 *          6 0, u16
 *   PAGES  table: a page number, u64, for each page; payload: their contents, one behind the other
 *   COPIES table: pairs of page numbers: a page, and one in a PAGES block that it equals; no payload
 *   END    table: digest, u64; pages stored, u64; copies, u64; then the offset of every other block, u64; no payload
 *
 * trailer  0 offset of the end block, u64    8 CRC32C of [0, 8)    12 "PFSE"
 * </pre>
 */
final class Layout {
  static final long FILE_MAGIC = 0x3145544154534650L;
  static final int VERSION = 1;
  static final int HEADER_BYTES = 32;
  static final int VERSION_AT = 8;
  static final int METADATA_BYTES_AT = 12;
  static final int PAGE_COUNT_AT = 16;
  static final int PAGE_BYTES_AT = 24;
  static final int HEADER_CHECKSUM_AT = 28;
  /** A machine of QEMU has its firmware there. */
  static final int MAX_METADATA_BYTES = 32 << 20;

  static final int BLOCK_MAGIC = 0x4B424650;
  static final int BLOCK_HEADER_BYTES = 24;
  static final int KIND_AT = 4;
  static final int CODEC_AT = 5;
  static final int TABLE_BYTES_AT = 8;
  static final int STORED_BYTES_AT = 12;
  static final int RAW_BYTES_AT = 16;
  static final int BLOCK_CHECKSUM_AT = 20;
  static final int MAX_PAGES = 256;
  static final int MAX_RAW_BYTES = MAX_PAGES * PageSize.BYTES;
  static final int MAX_COPIES = 4096;
  static final int COPY_BYTES = 2 * Long.BYTES;
  static final int MAX_TABLE_BYTES = MAX_COPIES * COPY_BYTES;
  static final int END_FIXED_BYTES = 3 * Long.BYTES;

  static final int TRAILER_BYTES = 16;
  static final int TRAILER_CHECKSUM_AT = 8;
  static final int TRAILER_MAGIC_AT = 12;
  static final int TRAILER_MAGIC = 0x45534650;

  static final int PAGES = 1;
  static final int COPIES = 2;
  static final int END = 3;

  private Layout() {
  }

  static ByteBuffer allocate(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Writes a block's header in front of its table, which starts at {@link #BLOCK_HEADER_BYTES}. */
  static void putBlockHeader(ByteBuffer block, int kind, int codec, int tableBytes, int rawBytes, ByteBuffer payload) {
    block.putInt(0, BLOCK_MAGIC).put(KIND_AT, (byte) kind).put(CODEC_AT, (byte) codec).putShort(6, (short) 0)
        .putInt(TABLE_BYTES_AT, tableBytes).putInt(STORED_BYTES_AT, payload.remaining()).putInt(RAW_BYTES_AT, rawBytes);
    block.putInt(BLOCK_CHECKSUM_AT, blockChecksum(block, tableBytes, payload));
  }

  static int blockChecksum(ByteBuffer block, int tableBytes, ByteBuffer payload) {
    CRC32C crc = new CRC32C();
    crc.update(block.duplicate().position(0).limit(BLOCK_CHECKSUM_AT));
    crc.update(block.duplicate().limit(BLOCK_HEADER_BYTES + tableBytes).position(BLOCK_HEADER_BYTES));
    crc.update(payload.duplicate());
    return (int) crc.getValue();
  }

  static int headerChecksum(ByteBuffer header, ByteBuffer metadata) {
    CRC32C crc = new CRC32C();
    crc.update(header.duplicate().position(0).limit(HEADER_CHECKSUM_AT));
    crc.update(metadata.duplicate());
    return (int) crc.getValue();
  }

  static int trailerChecksum(ByteBuffer trailer) {
    CRC32C crc = new CRC32C();
    crc.update(trailer.duplicate().position(0).limit(TRAILER_CHECKSUM_AT));
    return (int) crc.getValue();
  }

  /** What one page adds to the digest of all: a bijection of (page, hash) that spreads every bit. */
  static long digestOf(long page, long hash) {
    long z = hash ^ (page + 1) * 0x9E3779B97F4A7C15L;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
