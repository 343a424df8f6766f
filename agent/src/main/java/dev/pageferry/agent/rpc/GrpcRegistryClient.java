package dev.pageferry.agent.rpc;

import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc.HostRegistryBlockingStub;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The registry over gRPC. */
final class GrpcRegistryClient implements RegistryClient {
  private static final long CALL_SECONDS = 2;

  private final ManagedChannel channel;
  private final HostRegistryBlockingStub stub;

  GrpcRegistryClient(ManagedChannel channel, RecordsMemory records) {
    this.channel = channel;
    this.stub = HostRegistryGrpc.newBlockingStub(channel).withInterceptors(records);
  }

  @Override
  public RegisterResponse register(RegisterRequest request) throws NoAnswerException {
    return ask(bounded -> bounded.register(request));
  }

  @Override
  public HeartbeatResponse heartbeat(HeartbeatRequest request) throws NoAnswerException {
    return ask(bounded -> bounded.heartbeat(request));
  }

  private <A> A ask(Function<HostRegistryBlockingStub, A> question) throws NoAnswerException {
    try {
      return question.apply(stub.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS));
    } catch (StatusRuntimeException e) {
      // A coordinator that comes back should not wait for the channel's back-off, which grows to minutes.
      channel.resetConnectBackoff();
      throw new NoAnswerException("%s %s".formatted(e.getStatus().getCode(), e.getStatus().getDescription()), e);
    }
  }
}
