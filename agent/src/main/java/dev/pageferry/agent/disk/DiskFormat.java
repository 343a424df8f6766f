package dev.pageferry.agent.disk;

/** How a disk's file is laid out. */
public enum DiskFormat {
  /** Fixed VHD: the sectors, then a footer of 512 bytes. */
  VHD(VhdFooter.BYTES),
  /** The sectors, and nothing else. */
  RAW(0),
  /** Sectors where the file has them, for hypervisors that read it; this agent sees the file as a row of bytes. */
  QCOW2(0);

  private final int footerBytes;

  DiskFormat(int footerBytes) {
    this.footerBytes = footerBytes;
  }

  /** Bytes of the file behind the last sector. */
  int footerBytes() {
    return footerBytes;
  }
}
