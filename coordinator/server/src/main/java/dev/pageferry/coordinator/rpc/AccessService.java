package dev.pageferry.coordinator.rpc;

import com.google.protobuf.Timestamp;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.access.Admissions;
import dev.pageferry.coordinator.access.AuditLog;
import dev.pageferry.coordinator.machines.HostRemoval;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AdmitHostRequest;
import dev.pageferry.proto.cluster.v1.AdmitHostResponse;
import dev.pageferry.proto.cluster.v1.DeleteHostRequest;
import dev.pageferry.proto.cluster.v1.DeleteHostResponse;
import dev.pageferry.proto.cluster.v1.ListAuditRequest;
import dev.pageferry.proto.cluster.v1.ListAuditResponse;
import dev.pageferry.proto.cluster.v1.RevokeMemberRequest;
import dev.pageferry.proto.cluster.v1.RevokeMemberResponse;
import dev.pageferry.proto.cluster.v1.WhoAmIRequest;
import dev.pageferry.proto.cluster.v1.WhoAmIResponse;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/** Who belongs to the cluster, as operators say, and what was asked of it. */
final class AccessService extends AccessGrpc.AccessImplBase {
  private static final Duration TOKEN_VALID = Duration.ofDays(1);
  private static final Duration TOKEN_VALID_AT_MOST = Duration.ofDays(30);
  private static final int MAX_HOSTS_AT_ONCE = 1000;
  private static final int SHOWN = 100;
  /** Not the coordinator: it does not ask itself. */
  private static final Set<Role> REVOCABLE = Set.of(Role.HOST, Role.OPERATOR, Role.VIEWER, Role.METRICS);

  private final Admissions admissions;
  private final HostRemoval removal;
  private final AuditLog audit;

  AccessService(Admissions admissions, HostRemoval removal, AuditLog audit) {
    this.admissions = admissions;
    this.removal = removal;
    this.audit = audit;
  }

  @Override
  public void admitHost(AdmitHostRequest request, StreamObserver<AdmitHostResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      if (request.getHostIdsCount() == 0) {
        return token(request.getTokenSeconds());
      }
      if (request.getHostIdsCount() > MAX_HOSTS_AT_ONCE) {
        throw new RequestException(Kind.INVALID, "%d hosts are more than %d at once", request.getHostIdsCount(),
            MAX_HOSTS_AT_ONCE);
      }
      // All names first: none is admitted where one of them is malformed.
      List<HostId> hosts = request.getHostIdsList().stream().map(HostId::new).toList();
      hosts.forEach(admissions::admit);
      return AdmitHostResponse.newBuilder().addAllHostIds(request.getHostIdsList()).build();
    });
  }

  private AdmitHostResponse token(long seconds) throws RequestException {
    if (seconds < 0 || seconds > TOKEN_VALID_AT_MOST.toSeconds()) {
      throw new RequestException(Kind.INVALID, "a token is valid for up to %d days, and not for %d s",
          TOKEN_VALID_AT_MOST.toDays(), seconds);
    }
    Admissions.Token token = admissions.newToken(seconds == 0 ? TOKEN_VALID : Duration.ofSeconds(seconds));
    return AdmitHostResponse.newBuilder().setToken(token.text())
        .setTokenEndsAt(Timestamp.newBuilder().setSeconds(token.endsAtMillis() / 1000)).build();
  }

  @Override
  public void deleteHost(DeleteHostRequest request, StreamObserver<DeleteHostResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      removal.remove(request.getId());
      return DeleteHostResponse.getDefaultInstance();
    });
  }

  @Override
  public void revokeMember(RevokeMemberRequest request, StreamObserver<RevokeMemberResponse> observer) {
    CoordinatorReplies.answer(observer, () -> {
      Role role = REVOCABLE.stream().filter(each -> each.word().equals(request.getRole())).findFirst()
          .orElseThrow(() -> new RequestException(Kind.INVALID,
              "'%s' is not a role that can be revoked: host, operator, viewer, metrics",
              request.getRole()));
      boolean isSelf = Caller.current().member()
          .filter(it -> it.role() == role && it.name().equals(request.getName())).isPresent();
      if (isSelf) {
        throw new RequestException(Kind.REFUSED, "%s %s asks for this itself; another operator has to", role.word(),
            request.getName());
      }
      if (role == Role.HOST && request.getPermit()) {
        throw new RequestException(Kind.REFUSED, "a host is admitted again by 'ferry host admit %s'",
            request.getName());
      }
      if (!request.getPermit()) {
        admissions.revoke(role, request.getName());
      } else if (!admissions.permit(role, request.getName())) {
        throw new RequestException(Kind.NOT_FOUND, "%s %s was not revoked", role.word(), request.getName());
      }
      return RevokeMemberResponse.getDefaultInstance();
    });
  }

  @Override
  public void listAudit(ListAuditRequest request, StreamObserver<ListAuditResponse> observer) {
    CoordinatorReplies.answer(observer, () -> ListAuditResponse.newBuilder()
        .addAllEntries(audit.list(request.getLimit() <= 0 ? SHOWN : request.getLimit(), request.getAbout())).build());
  }

  @Override
  public void whoAmI(WhoAmIRequest request, StreamObserver<WhoAmIResponse> observer) {
    CoordinatorReplies.answer(observer, () -> Caller.current().member().map(it -> WhoAmIResponse.newBuilder()
        .setCluster(it.cluster()).setRole(it.role().word()).setName(it.name()).build())
        .orElseGet(WhoAmIResponse::getDefaultInstance));
  }
}
