package dev.pageferry.agent.rpc;

import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.time.Duration;

/**
 * Lets orders in from the coordinator that this host asks itself, and from no other: one that runs on a copy of the records
 * knows this host's address, too. Orders without a stamp come from a coordinator of the version before.
 */
final class OrdersGate implements ServerInterceptor {
  /** A coordinator that has just started sends its first orders while its first answer is on its way. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  private final RecordsMemory memory;

  OrdersGate(RecordsMemory memory) {
    this.memory = memory;
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers,
      ServerCallHandler<Q, A> next) {
    RecordsStamp stamp = headers.get(RecordsMemory.STAMP);
    boolean isOrder = Orders.contain(call.getMethodDescriptor());
    if (stamp == null || !isOrder || isKnown(stamp)) {
      return next.startCall(call, headers);
    }
    call.close(Status.FAILED_PRECONDITION.withDescription(
        "this host has not heard of this coordinator (start %s of records %s) by asking it; is its --coordinator another one?"
            .formatted(stamp.getStartId(), stamp.getLineage())),
        new Metadata());
    return new ServerCall.Listener<>() {
    };
  }

  private boolean isKnown(RecordsStamp stamp) {
    try {
      return memory.awaitStart(stamp.getStartId(), PATIENCE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
