package dev.pageferry.agent.rpc;

import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.Role;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.util.Optional;
import javax.net.ssl.SSLSession;

/** Takes orders from the coordinator alone. Health and the list of services are for every member of the cluster. */
final class MembersOnly implements ServerInterceptor {
  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers,
      ServerCallHandler<Q, A> next) {
    SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    Optional<Member> member = session == null ? Optional.empty() : Credentials.peer(session);
    boolean isOrder = Orders.contain(call.getMethodDescriptor());
    if (member.isPresent() && (!isOrder || member.get().role() == Role.COORDINATOR)) {
      return next.startCall(call, headers);
    }
    call.close(member.isEmpty()
        ? Status.UNAUTHENTICATED.withDescription("no certificate was shown")
        : Status.PERMISSION_DENIED
            .withDescription("%s may not call %s; that is for: coordinator".formatted(member.get(),
                call.getMethodDescriptor().getBareMethodName())),
        new Metadata());
    return new ServerCall.Listener<>() {
    };
  }
}
