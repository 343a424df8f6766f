package dev.pageferry.agent.disk;

/** A disk may not be used here at present: nothing is wrong with it, and a request may be made again once it may be. */
public final class DiskNotPermittedException extends DiskException {
  private static final long serialVersionUID = 1;

  public DiskNotPermittedException(String message) {
    super(message);
  }
}
