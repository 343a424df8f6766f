package dev.pageferry.agent.transport;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.ControlLink;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.time.Deadline;

/** A link with data streams beside its control stream, on which all messages go. */
interface ControlledLink extends ControlLink {
  ControlChannel control();

  @Override
  default void send(MessageLite message) {
    control().send(message);
  }

  @Override
  default MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure, InterruptedException {
    return control().receiveAny(deadline, kinds);
  }

  @Override
  default boolean awaitNews(Deadline deadline) throws InterruptedException {
    return control().awaitNews(deadline);
  }

  @Override
  default boolean isOpen() {
    return control().isOpen();
  }

  @Override
  default double roundTripSeconds() {
    return control().roundTripSeconds();
  }
}
