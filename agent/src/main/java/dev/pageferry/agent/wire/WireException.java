package dev.pageferry.agent.wire;

import org.jspecify.annotations.Nullable;

/** The peer sent bytes that are not the protocol. Ends the migration they belong to, and nothing else. */
public final class WireException extends Exception {
  private static final long serialVersionUID = 1L;

  /** What is wrong with the bytes. */
  public enum Fault {
    BAD_MAGIC,
    UNKNOWN_FRAME,
    RESERVED_BITS,
    BODY_TOO_LONG,
    BODY_MALFORMED,
    OUT_OF_SEQUENCE,
    CHECKSUM_MISMATCH,
    PAGE_OUT_OF_RANGE,
    WRONG_STREAM,
    WRONG_ROUND,
    PAGE_CORRUPTED,
    UNEXPECTED_FRAME,
    /** A page, or a part of a range, that came in this round already. */
    PAGE_REPEATED,
    TOO_MANY_ROUNDS,
    /** The peer sends and does not read. */
    UNREAD_ACKNOWLEDGEMENTS
  }

  private final Fault fault;

  /** @param detail the offending values and what was expected */
  public WireException(Fault fault, String detail, @Nullable Object... values) {
    super(fault + ": " + detail.formatted(values));
    this.fault = fault;
  }

  public Fault fault() {
    return fault;
  }
}
