package dev.pageferry.common.rpc;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import java.net.SocketAddress;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Calls that tests make of a gRPC server which answers questions for its health. */
public final class TestCalls {
  private TestCalls() {
  }

  /** Asks, and gives this end of the connection on which the answer came. */
  public static SocketAddress ask(ManagedChannel channel) throws Exception {
    CompletableFuture<SocketAddress> answered = new CompletableFuture<>();
    ClientCall<HealthCheckRequest, HealthCheckResponse> call = channel.newCall(HealthGrpc.getCheckMethod(),
        CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {
      @Override
      public void onMessage(HealthCheckResponse response) {
        answered.complete(call.getAttributes().get(Grpc.TRANSPORT_ATTR_LOCAL_ADDR));
      }

      @Override
      public void onClose(Status status, Metadata trailers) {
        answered.completeExceptionally(new IllegalStateException(status.toString()));
      }
    }, new Metadata());
    call.request(1);
    call.sendMessage(HealthCheckRequest.getDefaultInstance());
    call.halfClose();
    return answered.get(30, TimeUnit.SECONDS);
  }
}
