package dev.pageferry.support;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;

/** A guest of a few bytes, in the first sector of a disk: it writes a letter to its console eighteen times a second. */
public final class TickingGuest {
  /**
   * <pre>
   *     sti
   *     mov dx, 0x3f8   ; the first serial port
   * 1:  hlt             ; until the timer ticks
   *     mov al, 'A'
   *     out dx, al
   *     jmp 1b
   * </pre>
   */
  private static final byte[] CODE = HexFormat.of().parseHex("fbbaf803f4b041eeebfa");
  private static final int SIGNATURE_OFFSET = 510;

  private TickingGuest() {
  }

  /** Puts it onto a disk of zeros. */
  public static void install(Path rawDisk) throws IOException {
    ByteBuffer sector = ByteBuffer.allocate(512).put(CODE).put(SIGNATURE_OFFSET, new byte[]{0x55, (byte) 0xaa});
    sector.rewind();
    try (FileChannel disk = FileChannel.open(rawDisk, StandardOpenOption.WRITE)) {
      int unused = disk.write(sector, 0);
    }
  }
}
