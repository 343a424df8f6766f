package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.proto.registry.v1.HostRegistryGrpc;
import io.grpc.Contexts;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCall.Listener;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Optional;
import java.util.stream.Collectors;
import javax.net.ssl.SSLSession;

/**
 * Finds who calls, and refuses what that one may not. Each call is looked at, not each connection: a name that was taken away
 * is refused at once.
 */
final class CallerInterceptor implements ServerInterceptor {
  private final Admissions admissions;
  private final boolean secured;

  /** @param secured whether members are known by certificates; else everybody may do everything */
  CallerInterceptor(Admissions admissions, boolean secured) {
    this.admissions = admissions;
    this.secured = secured;
  }

  @Override
  public <Q, A> Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Caller caller = new Caller(secured ? member(call) : Optional.empty(), address(call));
    if (secured) {
      Optional<Status> refusal = caller.member().map(it -> refusal(it, call.getMethodDescriptor().getFullMethodName()))
          .orElse(Optional.of(Status.UNAUTHENTICATED.withDescription("no certificate was shown")));
      if (refusal.isPresent()) {
        call.close(refusal.get(), new Metadata());
        return new Listener<>() {
        };
      }
    }
    return Contexts.interceptCall(caller.inContext(), call, headers, next);
  }

  private static Optional<Member> member(ServerCall<?, ?> call) {
    SSLSession session = call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    return session == null ? Optional.empty() : Credentials.peer(session);
  }

  private static String address(ServerCall<?, ?> call) {
    SocketAddress remote = call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    return remote instanceof InetSocketAddress address ? address.getAddress().getHostAddress() : "";
  }

  private Optional<Status> refusal(Member member, String method) {
    if (admissions.isRevoked(member.role(), member.name())) {
      return denied("%s was taken out of cluster %s", member, member.cluster());
    }
    if (!Permissions.of(method).contains(member.role())) {
      String permitted = Permissions.of(method).stream().map(Role::word).sorted().collect(Collectors.joining(", "));
      return denied("%s may not call %s; that is for: %s", member, method.substring(method.lastIndexOf('/') + 1),
          permitted.isEmpty() ? "nobody" : permitted);
    }
    // Whoever registers is told why not, and what to do.
    boolean registers = method.equals(HostRegistryGrpc.getRegisterMethod().getFullMethodName());
    if (member.role() == Role.HOST && !registers && !admissions.isAdmitted(new HostId(member.name()))) {
      return denied("host %s is not admitted; 'ferry host admit %s' does", member.name(), member.name());
    }
    return Optional.empty();
  }

  private static Optional<Status> denied(String message, Object... values) {
    return Optional.of(Status.PERMISSION_DENIED.withDescription(message.formatted(values)));
  }
}
