package dev.pageferry.agent.guest.qemu;

/**
 * QEMU's migration stream, version 3, as far as it is the same for all machines. Big-endian. Source: QEMU's
 * {@code docs/devel/migration/main.rst}, {@code migration/savevm.c} and {@code migration/ram.c}.
 */
final class StreamFormat {
  static final int MAGIC = 0x5145564d;
  static final int VERSION = 3;

  static final int EOF = 0x00;
  static final int SECTION_START = 0x01;
  static final int SECTION_PART = 0x02;
  static final int SECTION_END = 0x03;
  static final int SECTION_FULL = 0x04;
  static final int SUBSECTION = 0x05;
  static final int DESCRIPTION = 0x06;
  static final int CONFIGURATION = 0x07;
  static final int COMMAND = 0x08;
  static final int FOOTER = 0x7e;

  /** Bytes; its length is one byte. */
  static final int LONGEST_NAME = 255;
  static final int MAX_SHORT = 0xffff;

  static final String RAM_SECTION = "ram";
  static final int RAM_VERSION = 4;

  /** Flags in the low bits of a page's offset. */
  static final int PAGE_FILL = 0x02;
  static final int MEMORY_SIZE = 0x04;
  static final int PAGE = 0x08;
  static final int END_OF_SECTION = 0x10;
  static final int SAME_BLOCK = 0x20;

  static final int COMMAND_OPEN_RETURN_PATH = 1;
  static final int COMMAND_PING = 2;

  static final String CAPABILITIES = "configuration/capabilities";
  static final int CAPABILITIES_VERSION = 1;
  /** Leaves RAM out that is a shared file; then each block has its address, too. */
  static final String IGNORE_SHARED = "x-ignore-shared";

  private StreamFormat() {
  }
}
