package dev.pageferry.simulation;

import com.google.protobuf.MessageLite;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.concurrent.Signal;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.Refusal;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** One end of a control stream: what came, and the end of it. */
final class SimulatedControl {
  private final SimulatedScheduler host;
  private final FailureCode lostCode;
  private final Queue<MessageLite> inbox = new ArrayDeque<>();
  private final Signal arrived;
  private @Nullable String ended;

  SimulatedControl(SimulatedScheduler host, FailureCode lostCode) {
    this.host = host;
    this.lostCode = lostCode;
    this.arrived = host.newSignal();
  }

  SimulatedScheduler host() {
    return host;
  }

  void arrive(MessageLite message) {
    if (ended == null) {
      inbox.add(message);
      arrived.raise();
    }
  }

  /** Ends the stream; false if it had ended before. */
  boolean end(String reason) {
    if (ended != null) {
      return false;
    }
    ended = reason;
    arrived.raise();
    return true;
  }

  boolean isOpen() {
    return ended == null;
  }

  boolean awaitNews(Deadline deadline) throws InterruptedException {
    return arrived.await(() -> !inbox.isEmpty() || ended != null, SimulatedLinks.left(deadline));
  }

  MessageLite receiveAny(Deadline deadline, Class<?>... kinds) throws MigrationFailure, InterruptedException {
    boolean inTime = awaitNews(deadline);
    MessageLite next = inbox.poll();
    if (!inTime || next == null) {
      throw new MigrationFailure.PeerLost(lostCode, ended == null ? "the peer sent nothing in time" : ended);
    }
    if (next instanceof Refusal refusal) {
      throw new MigrationFailure.PeerRefused(FailureCode.valueOf(refusal.getCode()), refusal.getMessage());
    }
    if (Arrays.stream(kinds).noneMatch(kind -> kind.isInstance(next))) {
      throw new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION,
          "received %s, expected %s".formatted(next.getClass().getSimpleName(),
              Arrays.stream(kinds).map(Class::getSimpleName).toList()));
    }
    return next;
  }
}
