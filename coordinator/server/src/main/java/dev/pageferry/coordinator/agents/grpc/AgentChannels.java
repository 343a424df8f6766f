package dev.pageferry.coordinator.agents.grpc;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.proto.registry.v1.RecordsStamp;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.Context;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.ProtoUtils;
import java.security.cert.CertificateException;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;

/** The ways to agents: one channel per address, kept. What an agent does not do comes out as an {@link AgentException}. */
public final class AgentChannels implements AutoCloseable {
  private static final long KEEP_ALIVE_SECONDS = 10;
  private static final int RECONNECT_ATTEMPTS = 10;
  private static final long RECONNECT_MILLIS = 100;

  private static final Metadata.Key<RecordsStamp> STAMP = Metadata.Key.of("pageferry-records-bin",
      ProtoUtils.metadataMarshaller(RecordsStamp.getDefaultInstance()));

  private final ClientInterceptor stamping;
  private final ClientInterceptor meter;
  private final Optional<Credentials> credentials;
  private final Function<String, Optional<HostId>> hosts;
  private final ConcurrentMap<String, ManagedChannel> channels = new ConcurrentHashMap<>();

  /**
   * @param stamp says which records orders come from: an agent obeys no coordinator that it has not asked itself
   * @param meter sees every call
   * @param credentials by which agents know this coordinator, and it them; empty: nobody is known
   * @param hosts gives the host that an address belongs to
   */
  public AgentChannels(Supplier<RecordsStamp> stamp, ClientInterceptor meter, Optional<Credentials> credentials,
      Function<String, Optional<HostId>> hosts) {
    this.credentials = credentials;
    this.hosts = hosts;
    this.meter = meter;
    stamping = new ClientInterceptor() {
      @Override
      public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
          @Override
          public void start(Listener<A> listener, Metadata headers) {
            headers.put(STAMP, stamp.get());
            super.start(listener, headers);
          }
        };
      }
    };
  }

  /**
   * Asks an agent.
   *
   * @param context in which: with the caller's own the question ends when the caller disconnects
   */
  <T> T ask(String address, Context context, Function<Channel, T> call) throws AgentException {
    ManagedChannel channel = channels.computeIfAbsent(address, this::open);
    forgetOldFailures(channel);
    Context callers = context.attach();
    try {
      return call.apply(ClientInterceptors.intercept(channel, stamping, meter));
    } catch (StatusRuntimeException e) {
      if (kind(e) == Kind.UNREACHABLE) {
        // An agent that comes back should not wait for the channel's back-off, which grows to minutes.
        channel.resetConnectBackoff();
        throw new AgentException(Kind.UNREACHABLE, "its agent does not answer (%s)".formatted(e.getStatus().getCode()),
            e);
      }
      if (e.getStatus().getCode() == Status.Code.UNIMPLEMENTED) {
        throw new AgentException(Kind.OLDER, "its agent is of an older version, which cannot do this; upgrade it", e);
      }
      String description = e.getStatus().getDescription();
      throw new AgentException(kind(e), description == null ? e.getStatus().getCode().toString() : description, e);
    } finally {
      context.detach(callers);
    }
  }

  /**
   * A channel that could not connect answers calls with that failure until its back-off is over. An agent may have come
   * back since, at the same address: so it is tried anew, for a moment.
   */
  private static void forgetOldFailures(ManagedChannel channel) {
    if (channel.getState(true) != ConnectivityState.TRANSIENT_FAILURE) {
      return;
    }
    CountDownLatch changed = new CountDownLatch(1);
    channel.notifyWhenStateChanged(ConnectivityState.TRANSIENT_FAILURE, changed::countDown);
    try {
      // Whether it did or not, the call itself will say. More than once: an attempt may have begun before the agent was back.
      for (int i = 0; i < RECONNECT_ATTEMPTS; i++) {
        channel.resetConnectBackoff();
        if (changed.await(RECONNECT_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static Kind kind(StatusRuntimeException e) {
    return switch (e.getStatus().getCode()) {
      case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED -> Kind.UNREACHABLE;
      case NOT_FOUND -> Kind.NOT_FOUND;
      case INVALID_ARGUMENT -> Kind.INVALID;
      case ALREADY_EXISTS -> Kind.EXISTS;
      case FAILED_PRECONDITION, RESOURCE_EXHAUSTED, ABORTED -> Kind.REFUSED;
      default -> Kind.FAILED;
    };
  }

  private ManagedChannel open(String address) {
    HostPort parsed = HostPort.parse(address);
    NettyChannelBuilder builder = NettyChannelBuilder.forAddress(parsed.host(), parsed.port())
        .keepAliveTime(KEEP_ALIVE_SECONDS, TimeUnit.SECONDS);
    credentials.ifPresentOrElse(it -> builder.sslContext(TlsContexts.grpcClient(it, (peer, asked) -> {
      HostId expected = hosts.apply(address)
          .orElseThrow(() -> new CertificateException("no host is known at " + address));
      PeerCheck.of(Role.HOST, expected.value()).check(peer, asked);
    })), builder::usePlaintext);
    return builder.build();
  }

  @Override
  public void close() {
    channels.values().forEach(ManagedChannel::shutdownNow);
  }
}
