package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.validation.Validation;
import dev.pageferry.proto.cluster.v1.ValidateRequest;
import dev.pageferry.proto.cluster.v1.ValidateUpdate;
import dev.pageferry.proto.cluster.v1.ValidationGrpc;
import io.grpc.Context;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;

/** Whether the cluster is fit, for operators. A validation ends when its caller disconnects. */
final class ValidationService extends ValidationGrpc.ValidationImplBase {
  private final Validation validation;

  ValidationService(Validation validation) {
    this.validation = validation;
  }

  @Override
  public void validate(ValidateRequest request, StreamObserver<ValidateUpdate> observer) {
    Thread validating = Thread.currentThread();
    ((ServerCallStreamObserver<ValidateUpdate>) observer).setOnCancelHandler(() -> {
      // gRPC calls this only after this method has returned: the listener below interrupts. Without it onNext would throw.
    });
    Context.CancellationListener disconnected = _ -> validating.interrupt();
    Context.current().addListener(disconnected, Runnable::run);
    try {
      CoordinatorReplies.answer(observer, () -> report(request, observer));
    } finally {
      Context.current().removeListener(disconnected);
      boolean _ = Thread.interrupted();
    }
  }

  private ValidateUpdate report(ValidateRequest request, StreamObserver<ValidateUpdate> observer)
      throws RequestException, InterruptedException {
    return ValidateUpdate.newBuilder()
        .setReport(validation.run(request.getHostIdsList(), observer::onNext)).build();
  }
}
