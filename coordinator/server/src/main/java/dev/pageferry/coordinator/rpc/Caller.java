package dev.pageferry.coordinator.rpc;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.inventory.HostConnections.Connection;
import io.grpc.Context;
import java.util.Optional;

/**
 * Who makes the present call.
 *
 * @param member empty: this coordinator works without certificates
 * @param address where from, without its port; empty: not known
 * @param connection that the call came by; empty: by none that is watched
 * @param isTrusted whether what it says of the records counts: not of a host that nobody has admitted
 */
record Caller(Optional<Member> member, String address, Optional<Connection> connection, boolean isTrusted) {
  private static final Caller NOBODY = new Caller(Optional.empty(), "", Optional.empty(), true);
  private static final Context.Key<Caller> CALLER = Context.keyWithDefault("caller", NOBODY);

  static Caller current() {
    return CALLER.get();
  }

  Context inContext() {
    return Context.current().withValue(CALLER, this);
  }

  /** The host that calls; empty: it is none, or is not known by a certificate. */
  Optional<HostId> host() {
    return member.filter(it -> it.role() == Role.HOST).map(it -> new HostId(it.name()));
  }
}
