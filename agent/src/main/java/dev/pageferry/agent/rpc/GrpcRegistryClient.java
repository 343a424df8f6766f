package dev.pageferry.agent.rpc;

import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc.HostRegistryBlockingStub;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The registry over gRPC. */
final class GrpcRegistryClient implements RegistryClient {
  private static final Logger log = LoggerFactory.getLogger(GrpcRegistryClient.class);
  private static final long CALL_SECONDS = 2;
  private static final int MAX_TOKEN_BYTES = 1000;

  private final ManagedChannel channel;
  private final HostRegistryBlockingStub stub;

  private final Optional<Path> joinTokenFile;

  /** @param joinTokenFile read each time: it may be written after the agent was started */
  GrpcRegistryClient(ManagedChannel channel, RecordsMemory records, Optional<Path> joinTokenFile) {
    this.joinTokenFile = joinTokenFile;
    this.channel = channel;
    this.stub = HostRegistryGrpc.newBlockingStub(channel).withInterceptors(records);
  }

  @Override
  public RegisterResponse register(RegisterRequest request) throws NoAnswerException {
    String token = joinTokenFile.map(GrpcRegistryClient::token).orElse("");
    return ask(bounded -> bounded.register(request.toBuilder().setJoinToken(token).build()));
  }

  private static String token(Path file) {
    try (InputStream in = Files.newInputStream(file)) {
      return new String(in.readNBytes(MAX_TOKEN_BYTES), StandardCharsets.US_ASCII).strip();
    } catch (IOException e) {
      log.warn("no token to join by: {}", IoFailure.sentence(e));
      return "";
    }
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
