package dev.pageferry.ferry;

import com.google.protobuf.Message;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.BackupGrpc;
import dev.pageferry.proto.cluster.v1.ClusterGrpc;
import dev.pageferry.proto.cluster.v1.EventsGrpc;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.ValidationGrpc;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A coordinator on loopback that answers what a test tells it to, and remembers what it was asked.
 */
final class FakeCluster implements AutoCloseable {
  /** What one call gets: messages, then a status. */
  record Answer(List<? extends Message> messages, Status status) {
  }

  private final Map<String, Function<Message, Answer>> answers = new ConcurrentHashMap<>();
  private final List<Message> requests = new CopyOnWriteArrayList<>();
  private final List<String> requestIds = new CopyOnWriteArrayList<>();
  private final @Nullable SslContext tls;
  private Server server;
  private final int port;

  FakeCluster() throws IOException {
    this(null);
  }

  /** @param tls how connections are secured; null: not at all */
  FakeCluster(@Nullable SslContext tls) throws IOException {
    this.tls = tls;
    server = start(0);
    port = server.getPort();
  }

  /** Refuses by a word of its own, and not as one whose answer broke would seem to. */
  void decide(String method, Status status) {
    refuse(method, status.withCause(new IllegalStateException("decided")));
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

  /** Dies when the method is called, before it answers. */
  void dieAt(String method) {
    answers.put(method, request -> {
      server.shutdownNow();
      return new Answer(List.of(), Status.OK);
    });
  }

  /** In the metadata of calls, in their order. */
  List<String> requestIds() {
    return requestIds;
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
    // One that died by itself may still have its port.
    stop();
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

  private ServerServiceDefinition played(ServiceDescriptor descriptor) {
    ServerServiceDefinition.Builder service = ServerServiceDefinition.builder(descriptor);
    for (MethodDescriptor<?, ?> method : descriptor.getMethods()) {
      add(service, method);
    }
    return ServerInterceptors.intercept(service.build(), new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(ServerCall<Q, R> call, Metadata headers,
          ServerCallHandler<Q, R> next) {
        String id = headers.get(Metadata.Key.of("pageferry-request-id", Metadata.ASCII_STRING_MARSHALLER));
        if (id != null) {
          requestIds.add(id);
        }
        return next.startCall(call, headers);
      }
    });
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
    if (server.isShutdown()) {
      return;
    }
    given.messages().forEach(message -> observer.onNext((R) message));
    if (given.status().isOk()) {
      observer.onCompleted();
    } else {
      Metadata trailers = new Metadata();
      if (given.status().getCause() != null) {
        trailers.put(Metadata.Key.of("pageferry-decided", Metadata.ASCII_STRING_MARSHALLER), "1");
      }
      observer.onError(given.status().asRuntimeException(trailers));
    }
  }

  private Server start(int port) throws IOException {
    NettyServerBuilder builder = NettyServerBuilder
        .forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
        .addService(played(ClusterGrpc.getServiceDescriptor()))
        .addService(played(AvailabilityGrpc.getServiceDescriptor()))
        .addService(played(EventsGrpc.getServiceDescriptor()))
        .addService(played(MaintenanceGrpc.getServiceDescriptor()))
        .addService(played(ValidationGrpc.getServiceDescriptor()))
        .addService(played(BackupGrpc.getServiceDescriptor()));
    return (tls == null ? builder : builder.sslContext(tls)).build().start();
  }
}
