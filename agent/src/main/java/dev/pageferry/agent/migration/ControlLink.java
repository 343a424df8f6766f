package dev.pageferry.agent.migration;

import com.google.protobuf.MessageLite;
import dev.pageferry.common.time.Deadline;

/**
 * The control stream between the two sides of one migration: ordered messages, kept alive by the transport. One
 * thread at a time receives; any may send and close.
 */
public interface ControlLink extends AutoCloseable {
  /** Queues a message. A link that is broken says so when the next message is received. */
  void send(MessageLite message);

  /**
   * Waits for the next message, which must be of the given kind.
   *
   * @throws MigrationFailure.PeerLost if the link broke, fell silent, or the deadline passed
   * @throws MigrationFailure.PeerRefused if the peer ended the attempt instead
   * @throws MigrationFailure.PeerAtFault if it sent anything else
   */
  default <T extends MessageLite> T receive(Class<T> kind, Deadline deadline)
      throws MigrationFailure, InterruptedException {
    return kind.cast(receiveAny(deadline, kind));
  }

  /** As {@link #receive}, for one of several kinds. */
  MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure, InterruptedException;

  /**
   * Waits until there is something to receive: a message, or the end of the link. Called by the thread that receives.
   *
   * @return false if the deadline passes first
   */
  boolean awaitNews(Deadline deadline) throws InterruptedException;

  /** False once the link is known to be broken. */
  boolean isOpen();

  /** Shortest round trip that a keep-alive took, seconds; 0 before the first answer. */
  double roundTripSeconds();

  /** Closes the control stream and all data streams, after what was queued has been written. Idempotent. */
  @Override
  void close();
}
