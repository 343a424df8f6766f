package dev.pageferry.agent.memory;

import dev.pageferry.common.units.ByteSize;

/** The host cannot give a VM the memory it needs. Nothing stays allocated. */
public final class OutOfMemoryException extends Exception {
  private static final long serialVersionUID = 1L;

  /** @param cause of the kernel or the file system */
  public OutOfMemoryException(long bytes, Throwable cause) {
    super("the host could not back %s of guest memory (%s)".formatted(ByteSize.format(bytes), cause.getMessage()),
        cause);
  }

  OutOfMemoryException(String what, long bytes, long freeBytes) {
    super("%s: %s asked for, %s free".formatted(what, ByteSize.format(bytes), ByteSize.format(freeBytes)));
  }
}
