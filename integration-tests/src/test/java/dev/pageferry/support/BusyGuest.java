package dev.pageferry.support;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;

/** A guest of a few bytes, in the first sector of a disk, that never waits: it writes to 16 MiB without end, or only counts. */
public final class BusyGuest {
  /**
   * <pre>
   *     cli
   *     xor ax, ax
   *     mov ds, ax
   *     lgdt [gdtr]              ; es: all of memory, as protected mode leaves it behind
   *     mov eax, cr0
   *     or al, 1
   *     mov cr0, eax
   *     mov bx, 8
   *     mov es, bx
   *     and al, 0xfe
   *     mov cr0, eax
   * 1:  inc dword [0x500]
   *     cmp byte [0x508], 0      ; whether it only counts
   *     jne 4f
   *     mov ebx, 0x200000        ; pages from 2 MiB up to 18 MiB
   * 2:  inc dword [es:ebx]
   *     mov cx, 0x100
   * 3:  loop 3b
   *     add ebx, 0x1000
   *     cmp ebx, 0x1200000
   *     jb 2b
   * 4:  mov cx, 0x1000
   * 5:  loop 5b
   *     jmp 1b
   * gdt:  dq 0, 0x00cf92000000ffff
   * gdtr: dw 15
   *       dd gdt
   * </pre>
   */
  private static final byte[] CODE = HexFormat.of().parseHex(
      "fa31c08ed8660f0116607c0f20c00c010f22c0bb08008ec324fe0f22c066ff060005803e080500752066bb0000"
          + "2000266766ff03b90001e2fe6681c3001000006681fb0000200172e6b90010e2feebcd0000000000000000ffff00000092cf000f00507c0000");
  private static final int SIGNATURE_OFFSET = 510;
  private static final long ONLY_COUNTS_OFFSET = 0x508;

  private BusyGuest() {
  }

  /** Puts it onto a disk of zeros. */
  public static void install(Path rawDisk) throws IOException {
    try (FileChannel disk = FileChannel.open(rawDisk, StandardOpenOption.WRITE)) {
      int unused = disk.write(
          ByteBuffer.allocate(512).put(CODE).put(SIGNATURE_OFFSET, new byte[]{0x55, (byte) 0xaa}).position(0), 0);
    }
  }

  /** Has it write to its pages, or not. It finds that in its RAM, in a page to which it writes all the time. */
  public static void writes(Path ram, boolean writes) throws IOException {
    try (FileChannel memory = FileChannel.open(ram, StandardOpenOption.WRITE)) {
      int unused = memory.write(ByteBuffer.wrap(new byte[]{(byte) (writes ? 0 : 1)}), ONLY_COUNTS_OFFSET);
    }
  }

  /** How much of the time its vCPU does not sleep: all, unless it is paused or held back. That others use its processor does not count. */
  public static final class Wakefulness {
    private final String vmId;
    private final String host;
    private long nanos = System.nanoTime();
    private long awakeNanos;

    public Wakefulness(String vmId, String host) throws IOException {
      this.vmId = vmId;
      this.host = host;
      this.awakeNanos = awakeNanos();
    }

    /** Since this was asked last: 0 to 1. */
    public double sinceLast() throws IOException {
      long awakeBefore = awakeNanos;
      long before = nanos;
      awakeNanos = awakeNanos();
      nanos = System.nanoTime();
      return (awakeNanos - awakeBefore) / (double) (nanos - before);
    }

    private long awakeNanos() throws IOException {
      return QemuProcesses.of(vmId).stream().filter(each -> each.host().equals(host))
          .mapToLong(QemuProcesses.Qemu::vcpuAwakeNanos).sum();
    }
  }
}
