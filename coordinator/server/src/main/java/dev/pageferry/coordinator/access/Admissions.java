package dev.pageferry.coordinator.access;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.Names;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.proto.records.v1.AdmittedHost;
import dev.pageferry.proto.records.v1.JoinToken;
import dev.pageferry.proto.records.v1.RevokedMember;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.random.RandomGenerator;

/**
 * Which hosts are taken in, and whose name was taken away. A certificate says who somebody is; this says whether that one
 * belongs here. For all threads; what was changed holds for the next request.
 */
public final class Admissions {
  private static final String HOSTS = "access/hosts/";
  private static final String TOKENS = "access/tokens/";
  private static final String REVOKED = "access/revoked/";
  private static final String KNOWN_HOSTS = "hosts/";
  private static final int TOKEN_BYTES = 32;
  private static final int MAX_TOKENS = 1000;

  private final RecordStore store;
  private final Scheduler scheduler;
  private final RandomGenerator random;
  /** The same as in the records: they are asked for by every call. */
  private final Set<HostId> admitted = ConcurrentHashMap.newKeySet();
  private final Set<String> revoked = ConcurrentHashMap.newKeySet();

  /**
   * A token that was just made.
   *
   * @param endsAtMillis since 1970-01-01 UTC
   */
  public record Token(String text, long endsAtMillis) {
  }

  /** @param random of which tokens are made: a secure one */
  public Admissions(RecordStore store, Scheduler scheduler, RandomGenerator random) {
    this.store = store;
    this.scheduler = scheduler;
    this.random = random;
    store.list(REVOKED).forEach(each -> revoked.add(each.key()));
    // Hosts of before there were certificates have no record of their admission.
    for (String prefix : new String[]{HOSTS, KNOWN_HOSTS}) {
      store.list(prefix).forEach(each -> admitted.add(new HostId(each.key().substring(prefix.length()))));
    }
    admitted.removeIf(each -> isRevoked(Role.HOST, each.value()));
  }

  /** Takes a host in, before it comes. One that was deleted may come again, by a new incarnation. */
  public synchronized void admit(HostId host) {
    store.commit(admitting(new Transaction(), host).delete(revokedKey(Role.HOST, host.value())));
    revoked.remove(revokedKey(Role.HOST, host.value()));
    admitted.add(host);
  }

  private Transaction admitting(Transaction transaction, HostId host) {
    return transaction.put(HOSTS + host, AdmittedHost.newBuilder().setId(host.value())
        .setAtMillis(scheduler.wallMillis()).addAllOver(over(host)).build().toByteArray());
  }

  /** Incarnations of a host that ended with its deletion. */
  private List<String> over(HostId host) {
    Optional<Versioned> wasRevoked = store.get(revokedKey(Role.HOST, host.value()));
    try {
      if (wasRevoked.isPresent()) {
        return RevokedMember.parseFrom(wasRevoked.get().value()).getOverList();
      }
      Optional<Versioned> wasAdmitted = store.get(HOSTS + host);
      return wasAdmitted.isPresent() ? AdmittedHost.parseFrom(wasAdmitted.get().value()).getOverList() : List.of();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("the record of host %s is damaged".formatted(host), e);
    }
  }

  /** Whether that incarnation of a host ended with the host's deletion: it may run what runs elsewhere by now. */
  public boolean isOver(HostId host, Incarnation incarnation) {
    return over(host).contains(incarnation.value());
  }

  /** Whether an operator has taken the host in, or it was one before there were certificates; and was not deleted since. */
  public boolean isAdmitted(HostId host) {
    return admitted.contains(host);
  }

  /** Makes a token that takes one host in. Nobody can read it from the records. */
  public Token newToken(Duration valid) {
    long now = scheduler.wallMillis();
    Transaction transaction = new Transaction();
    int left = 0;
    for (Versioned each : store.list(TOKENS)) {
      if (parse(each).getEndsAtMillis() < now || ++left >= MAX_TOKENS) {
        transaction.delete(each.key());
      }
    }
    byte[] bytes = new byte[TOKEN_BYTES];
    random.nextBytes(bytes);
    Token token = new Token(Base64.getUrlEncoder().withoutPadding().encodeToString(bytes), now + valid.toMillis());
    store.commit(transaction.put(tokenKey(token.text()),
        JoinToken.newBuilder().setEndsAtMillis(token.endsAtMillis()).build().toByteArray()));
    return token;
  }

  /** Takes a host in by a token, which is of no use from then on. False where it is none, or its time is over, or the host was deleted. */
  public synchronized boolean redeem(HostId host, String token) {
    Optional<Versioned> found = token.isEmpty() ? Optional.empty() : store.get(tokenKey(token));
    if (found.isEmpty() || parse(found.get()).getEndsAtMillis() < scheduler.wallMillis()
        || isRevoked(Role.HOST, host.value())) {
      return false;
    }
    Transaction transaction = new Transaction().ifUnchanged(found.get()).delete(found.get().key())
        .ifAbsent(revokedKey(Role.HOST, host.value()));
    if (!store.commit(admitting(transaction, host))) {
      return false;
    }
    admitted.add(host);
    return true;
  }

  /** Revokes a name: whoever has it is refused from now on. */
  public void revoke(Role role, String name) {
    revoke(role, name, List.of());
  }

  /** Revokes a host that is deleted, with the incarnations of it that are over. */
  public void delete(HostId host, List<String> over) {
    revoke(Role.HOST, host.value(), over);
  }

  private synchronized void revoke(Role role, String name, List<String> over) {
    String key = revokedKey(role, Names.check(role.word(), name));
    RevokedMember.Builder record = RevokedMember.newBuilder().setRole(role.word()).setName(name)
        .setAtMillis(scheduler.wallMillis()).addAllOver(over);
    Transaction transaction = new Transaction();
    if (role == Role.HOST) {
      record.addAllOver(over(new HostId(name)));
      transaction.delete(HOSTS + name);
      admitted.remove(new HostId(name));
    }
    // Ahead of the write: nobody is let in by a coordinator that ends right behind it.
    revoked.add(key);
    store.commit(transaction.put(key, record.build().toByteArray()));
  }

  /** Permits a name again that was revoked. False if it was not. */
  public synchronized boolean permit(Role role, String name) {
    String key = revokedKey(role, name);
    if (!revoked.contains(key)) {
      return false;
    }
    store.commit(new Transaction().delete(key));
    revoked.remove(key);
    return true;
  }

  public boolean isRevoked(HostId host) {
    return isRevoked(Role.HOST, host.value());
  }

  public boolean isRevoked(Role role, String name) {
    return revoked.contains(revokedKey(role, name));
  }

  private static String revokedKey(Role role, String name) {
    return REVOKED + role.word() + "/" + name;
  }

  private static String tokenKey(String token) {
    try {
      return TOKENS + HexFormat.of().formatHex(
          MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no SHA-256", e);
    }
  }

  private static JoinToken parse(Versioned stored) {
    try {
      return JoinToken.parseFrom(stored.value());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(stored.key()), e);
    }
  }
}
