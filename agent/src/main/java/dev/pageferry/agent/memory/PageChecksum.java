package dev.pageferry.agent.memory;

import dev.pageferry.common.page.PageSize;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** CRC32C (RFC 3720, appendix B.4) of pages. One instance per thread. */
public final class PageChecksum {
  /** The checksum of a page of zeros. */
  public static final int OF_ZERO_PAGE = new PageChecksum().of(ByteBuffer.allocateDirect(PageSize.BYTES), 0);

  private final CRC32C crc = new CRC32C();

  /** Checksum of the page that starts at the buffer's given index. The buffer's position and limit are moved. */
  public int of(ByteBuffer buffer, int offset) {
    buffer.limit(offset + PageSize.BYTES).position(offset);
    crc.reset();
    crc.update(buffer);
    return (int) crc.getValue();
  }
}
