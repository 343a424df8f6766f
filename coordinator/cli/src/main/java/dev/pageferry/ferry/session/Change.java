package dev.pageferry.ferry.session;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.grpc.Attributes;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientStreamTracer;
import io.grpc.ClientStreamTracer.StreamInfo;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;

/**
 * One change that an operator asks for, under an id: the coordinator does not do twice what it is asked twice under one id.
 * Knows whether the request may have left this machine: from then on a call without an answer says nothing about whether the
 * change was made.
 */
public final class Change {
  private static final Metadata.Key<String> REQUEST_ID = Metadata.Key.of("pageferry-request-id",
      Metadata.ASCII_STRING_MARSHALLER);
  /** The coordinator's own word on how a call ended; see there. */
  private static final Metadata.Key<String> DECIDED = Metadata.Key.of("pageferry-decided",
      Metadata.ASCII_STRING_MARSHALLER);

  private final String requestId;
  private volatile boolean mayHaveArrived;

  public Change(String requestId) {
    this.requestId = requestId;
  }

  public String requestId() {
    return requestId;
  }

  /** False only where it is certain that nothing was sent: no connection came about, or none in time. */
  boolean mayHaveArrived() {
    return mayHaveArrived;
  }

  static boolean isDecided(Metadata trailers) {
    return trailers.containsKey(DECIDED);
  }

  <S extends AbstractStub<S>> S of(S stub) {
    Metadata headers = new Metadata();
    headers.put(REQUEST_ID, requestId);
    return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers), new Departure());
  }

  /** The answer with the id in it, for the JSON of those who want to repeat the request. */
  @SuppressWarnings("unchecked") // A builder builds what it came from.
  public <M extends Message> M stamped(M answer) {
    FieldDescriptor field = answer.getDescriptorForType().findFieldByName("request_id");
    return field == null ? answer : (M) answer.toBuilder().setField(field, requestId).build();
  }

  /** Notes that a call was given to a connection that is open: what becomes of it there is not known. */
  private final class Departure implements ClientInterceptor {
    private final ClientStreamTracer.Factory tracers = new ClientStreamTracer.Factory() {
      @Override
      public ClientStreamTracer newClientStreamTracer(StreamInfo info, Metadata headers) {
        return new ClientStreamTracer() {
          @Override
          public void streamCreated(Attributes transport, Metadata sent) {
            mayHaveArrived = true;
          }
        };
      }
    };

    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      return next.newCall(method, options.withStreamTracerFactory(tracers));
    }
  }
}
