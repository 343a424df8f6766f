package dev.pageferry.ferry.view;

/**
 * Where something stands.
 *
 * @param headline
 *          what is being done; changes rarely
 * @param details
 *          how far that is; empty where there is nothing to say
 * @param done
 *          share of the whole, 0 to 1
 */
public record Progress(String headline, String details, double done) {
  String line() {
    return details.isEmpty() ? headline : headline + ": " + details;
  }

  /** The same, with more details. */
  public Progress with(String more) {
    return new Progress(headline, details.isEmpty() ? more : details + "; " + more, done);
  }
}
