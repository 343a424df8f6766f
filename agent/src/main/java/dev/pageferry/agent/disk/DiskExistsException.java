package dev.pageferry.agent.disk;

/** A disk of that name exists already. */
public final class DiskExistsException extends DiskException {
  private static final long serialVersionUID = 1L;

  DiskExistsException(String message) {
    super(message);
  }
}
