package dev.pageferry.agent.migration;

import dev.pageferry.agent.wire.PageFrameMeta;
import dev.pageferry.agent.wire.WireException;
import java.nio.ByteBuffer;

/**
 * Where data streams put what they receive. Each stream calls from its own I/O thread; a page belongs to one stream, so
 * that no two calls concern the same page.
 */
public interface PageSink {
  /** Memory stays mapped from here until {@link #streamClosed}. */
  void streamOpened(int stream);

  void streamClosed(int stream);

  /**
   * Whether another frame of pages can be taken now; if not, {@code later} is called once, by any thread, as soon as one can
   * be.
   */
  boolean hasRoomOrTellLater(int stream, Runnable later);

  /**
   * Checks a run of pages and gives the memory that its contents are to be read into.
   *
   * @throws WireException if the pages are not the VM's, or not this stream's, or of any round but the present one
   */
  ByteBuffer runStarts(int stream, PageFrameMeta run) throws WireException;

  /** The contents of a run are in place: checks them. */
  void runPlaced(int stream, PageFrameMeta run, ByteBuffer window) throws WireException;

  /** Checks scattered pages before their contents are read. */
  void batchStarts(int stream, PageFrameMeta batch) throws WireException;

  /** Checks scattered pages and puts them into place. */
  void batchArrived(int stream, PageFrameMeta batch, ByteBuffer contents) throws WireException;

  /** Checks ranges of zero pages, all of them, before one is cleared. */
  void zerosStart(int stream, PageFrameMeta ranges) throws WireException;

  /**
   * Clears ranges, in their order, but no more at once than other streams can wait for.
   *
   * @param from the first range that has not been cleared yet
   * @return the first one that is still to be cleared: go on with it when others have had their turn; the count of ranges at
   *     the end
   */
  int clearSome(int stream, PageFrameMeta ranges, int from);

  /**
   * The stream has sent all its pages of a round.
   *
   * @return the pages that this stream has placed so far
   */
  long roundEnded(int stream, int round) throws WireException;

  /** The stream broke, or its peer broke the protocol. */
  void failed(int stream, Throwable cause);
}
