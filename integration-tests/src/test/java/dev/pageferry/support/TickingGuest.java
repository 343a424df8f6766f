package dev.pageferry.support;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
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

  private static final int CD_SECTOR_BYTES = 2048;
  /** Where a PC's BIOS counts the timer's ticks, 32 bits. */
  private static final long TICKS_OFFSET = 0x46c;

  private TickingGuest() {
  }

  /** How often its timer has ticked since it booted, as its RAM says. */
  public static long ticks(Path ram) throws IOException {
    ByteBuffer count = ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel memory = FileChannel.open(ram, StandardOpenOption.READ)) {
      int unused = memory.read(count, TICKS_OFFSET);
    }
    return Integer.toUnsignedLong(count.getInt(0));
  }

  /** Puts it onto a disk of zeros. */
  public static void install(Path rawDisk) throws IOException {
    write(rawDisk, 0, sector());
  }

  private static byte[] sector() {
    return ByteBuffer.allocate(512).put(CODE).put(SIGNATURE_OFFSET, new byte[]{0x55, (byte) 0xaa}).array();
  }

  /**
   * Puts it onto an image of a CD of zeros, which boots it as if it were a hard disk's first sector, without emulating one. Source: the El
   * Torito specification, version 1.0, sections 2.0 and 2.1.
   */
  public static void installOnCd(Path image) throws IOException {
    ByteBuffer record = ByteBuffer.allocate(CD_SECTOR_BYTES).put(1, "CD001".getBytes(StandardCharsets.US_ASCII))
        .put(6, new byte[]{1}).put(7, "EL TORITO SPECIFICATION".getBytes(StandardCharsets.US_ASCII))
        .order(ByteOrder.LITTLE_ENDIAN).putInt(0x47, 19);
    write(image, 17, record.array());
    // Validation entry: its sixteen words add up to 0. Then the entry to boot: one sector of 512 bytes, from sector 20.
    ByteBuffer catalog = ByteBuffer.allocate(CD_SECTOR_BYTES).order(ByteOrder.LITTLE_ENDIAN).put(0, (byte) 1)
        .putShort(0x1c, (short) (0x10000 - 1 - 0xaa55)).putShort(0x1e, (short) 0xaa55).put(0x20, (byte) 0x88)
        .putShort(0x26, (short) 1).putInt(0x28, 20);
    write(image, 19, catalog.array());
    write(image, 20, sector());
  }

  private static void write(Path image, int cdSector, byte[] bytes) throws IOException {
    try (FileChannel disk = FileChannel.open(image, StandardOpenOption.WRITE)) {
      int unused = disk.write(ByteBuffer.wrap(bytes), (long) cdSector * CD_SECTOR_BYTES);
    }
  }
}
