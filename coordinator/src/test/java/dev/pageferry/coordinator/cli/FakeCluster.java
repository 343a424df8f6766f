package dev.pageferry.coordinator.cli;

import com.google.protobuf.Message;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import io.grpc.BindableService;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

/**
 * A coordinator on loopback that answers what a test tells it to, and remembers what it was asked.
 */
final class FakeCluster implements AutoCloseable, BindableService {
  /** What one call gets: messages, then a status. */
  record Answer(List<? extends Message> messages, Status status) {
  }

  private final Map<String, Function<Message, Answer>> answers = new ConcurrentHashMap<>();
  private final List<Message> requests = new CopyOnWriteArrayList<>();
  private Server server;
  private final int port;

  FakeCluster() throws IOException {
    server = start(0);
    port = server.getPort();
  }

  void answer(String method, Message... messages) {
    answers.put(method, request -> new Answer(List.of(messages), Status.OK));
  }

  void refuse(String method, Status status) {
    answers.put(method, request -> new Answer(List.of(), status));
  }

  void answer(String method, Function<Message, Answer> answer) {
    answers.put(method, answer);
  }

  List<Message> requests() {
    return requests;
  }

  <M extends Message> M onlyRequest(Class<M> type) {
    return type.cast(requests.stream().filter(type::isInstance).reduce((a, b) -> {
      throw new AssertionError("more than one " + type);
    }).orElseThrow());
  }

  String address() {
    return "127.0.0.1:" + port;
  }

  /** Ends every call and every connection, as a killed process would. */
  void stop() {
    try {
      server.shutdownNow().awaitTermination();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  void startAgain() {
    try {
      server = start(port);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Override
  public void close() {
    stop();
  }

  @Override
  public ServerServiceDefinition bindService() {
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(ClusterGrpc.getServiceDescriptor());
    for (MethodDescriptor<?, ?> method : ClusterGrpc.getServiceDescriptor().getMethods()) {
      add(service, method);
    }
    return service.build();
  }

  private <Q, R> void add(ServerServiceDefinition.Builder service, MethodDescriptor<Q, R> method) {
    service.addMethod(method,
        ServerCalls.asyncServerStreamingCall((request, observer) -> reply(method, request, observer)));
  }

  @SuppressWarnings("unchecked") // The test names the method and so chose the type of its answers.
  private <Q, R> void reply(MethodDescriptor<Q, R> method, Q request, StreamObserver<R> observer) {
    requests.add((Message) request);
    Function<Message, Answer> answer = answers.getOrDefault(String.valueOf(method.getBareMethodName()),
        any -> new Answer(List.of(), Status.UNIMPLEMENTED));
    Answer given = answer.apply((Message) request);
    given.messages().forEach(message -> observer.onNext((R) message));
    if (given.status().isOk()) {
      observer.onCompleted();
    } else {
      observer.onError(given.status().asRuntimeException());
    }
  }

  private Server start(int port) throws IOException {
    return NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)).addService(this)
        .build().start();
  }
}
