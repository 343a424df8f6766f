package dev.pageferry.coordinator.rpc;

import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;

/** Looks how things are before whoever asks for the server's health is answered. */
final class HealthInterceptor implements ServerInterceptor {
  private final Runnable look;

  HealthInterceptor(Runnable look) {
    this.look = look;
  }

  @Override
  public <Q, R> Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    look.run();
    return next.startCall(call, headers);
  }
}
