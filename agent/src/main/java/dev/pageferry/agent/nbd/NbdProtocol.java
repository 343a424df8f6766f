package dev.pageferry.agent.nbd;

/**
 * The numbers of the Network Block Device protocol that are used here; all are big-endian on the wire. Source:
 * {@code doc/proto.md} of the NetworkBlockDevice project.
 */
final class NbdProtocol {
  /** "NBDMAGIC", the server's first word. */
  static final long SERVER_MAGIC = 0x4e42_444d_4147_4943L;
  /** "IHAVEOPT", ahead of every option. */
  static final long OPTION_MAGIC = 0x4948_4156_454f_5054L;
  static final long OPTION_REPLY_MAGIC = 0x0003_e889_0455_65a9L;
  static final int REQUEST_MAGIC = 0x2560_9513;
  static final int REPLY_MAGIC = 0x6744_6698;

  /** Of the server and of the client. */
  static final int FIXED_NEWSTYLE = 1;
  static final int NO_ZEROES = 2;

  static final int OPTION_EXPORT_NAME = 1;
  static final int OPTION_ABORT = 2;
  static final int OPTION_INFO = 6;
  static final int OPTION_GO = 7;

  static final int REPLY_ACK = 1;
  static final int REPLY_INFO = 3;
  static final int REPLY_UNSUPPORTED = 0x8000_0001;
  static final int REPLY_INVALID = 0x8000_0003;
  static final int REPLY_UNKNOWN = 0x8000_0006;

  static final int INFO_EXPORT = 0;
  static final int INFO_BLOCK_SIZE = 3;

  /** Of an export. */
  static final int HAS_FLAGS = 1;
  static final int READ_ONLY = 2;
  static final int SEND_FLUSH = 4;

  static final int COMMAND_READ = 0;
  static final int COMMAND_WRITE = 1;
  static final int COMMAND_DISCONNECT = 2;
  static final int COMMAND_FLUSH = 3;

  static final int ERROR_NOT_PERMITTED = 1;
  static final int ERROR_IO = 5;
  static final int ERROR_INVALID = 22;
  static final int ERROR_NO_SPACE = 28;

  /** Bytes of a request's header: magic, flags, type, cookie, offset, length. */
  static final int REQUEST_BYTES = 28;
  /** Bytes of a simple reply's header: magic, error, cookie. */
  static final int REPLY_BYTES = 16;

  private NbdProtocol() {
  }
}
