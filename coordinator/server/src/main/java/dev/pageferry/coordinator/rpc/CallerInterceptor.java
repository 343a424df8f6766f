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
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.stream.Collectors;
import javax.net.ssl.SSLSession;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds who calls, and refuses what that one may not. Each call is looked at, not each connection: a name that was taken away
 * is refused at once.
 */
final class CallerInterceptor implements ServerInterceptor {
  private static final Logger log = LoggerFactory.getLogger(CallerInterceptor.class);
  private static final String REGISTER = HostRegistryGrpc.getRegisterMethod().getFullMethodName();
  private static final Set<String> ANSWERED = Set.of(REGISTER,
      HostRegistryGrpc.getHeartbeatMethod().getFullMethodName());

  private final Admissions admissions;
  private final boolean secured;
  /** What was said last of each, so that one who asks every second is in the log once. Bounded by the certificates there are. */
  private final ConcurrentMap<Member, String> refused = new ConcurrentHashMap<>();

  /** @param secured whether members are known by certificates; else everybody may do everything */
  CallerInterceptor(Admissions admissions, boolean secured) {
    this.admissions = admissions;
    this.secured = secured;
  }

  @Override
  public <Q, A> Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Optional<Member> member = secured ? member(call) : Optional.empty();
    Caller caller = new Caller(member, address(call), ConnectionFilter.connection(call.getAttributes()),
        member.isEmpty() || isTrusted(member.get()));
    if (secured) {
      Optional<Status> refusal = caller.member().map(it -> refusal(it, call.getMethodDescriptor().getFullMethodName()))
          .orElse(Optional.of(Status.UNAUTHENTICATED.withDescription("no certificate was shown")));
      if (refusal.isPresent()) {
        tell(caller, String.valueOf(refusal.get().getDescription()));
        call.close(refusal.get(), new Metadata());
        return new Listener<>() {
        };
      }
    }
    return Contexts.interceptCall(caller.inContext(), call, headers, next);
  }

  private void tell(Caller caller, String reason) {
    if (caller.member().isPresent() && !reason.equals(refused.put(caller.member().get(), reason))) {
      log.warn("a call from {} was refused: {}", caller.address(), reason);
    }
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
    // A host that registers is told why not, and what to do; one that is over hears it so that it ends.
    boolean isAnswered = member.role() == Role.HOST && ANSWERED.contains(method);
    if (admissions.isRevoked(member.role(), member.name()) && !isAnswered) {
      return denied("%s was revoked in cluster %s", member, member.cluster());
    }
    if (!Permissions.of(method).contains(member.role())) {
      String permitted = Permissions.of(method).stream().map(Role::word).sorted().collect(Collectors.joining(", "));
      return denied("%s may not call %s; that is for: %s", member, method.substring(method.lastIndexOf('/') + 1),
          permitted.isEmpty() ? "nobody" : permitted);
    }
    boolean isKnown = isTrusted(member) || (admissions.isRevoked(member.role(), member.name()) && isAnswered);
    return isKnown || method.equals(REGISTER)
        ? Optional.empty()
        : denied("host %s is not admitted; 'ferry host admit %s' does", member.name(), member.name());
  }

  private boolean isTrusted(Member member) {
    return member.role() != Role.HOST || admissions.isAdmitted(new HostId(member.name()));
  }

  private static Optional<Status> denied(String message, Object... values) {
    return Optional.of(Status.PERMISSION_DENIED.withDescription(message.formatted(values)));
  }
}
