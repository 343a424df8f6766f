package dev.pageferry.common.tls;

import java.security.cert.CertificateException;

/** Who may be at the other end of a connection, beside that it is of one's own cluster. */
@FunctionalInterface
public interface PeerCheck {
  /** Any member: what it may do is decided for each request. */
  PeerCheck ANY_MEMBER = peer -> {
  };

  /** @throws CertificateException saying who was expected, if it is not that one */
  void check(Member peer) throws CertificateException;

  /** Any member of that role. */
  static PeerCheck any(Role role) {
    return peer -> {
      if (peer.role() != role) {
        throw new CertificateException("the peer is %s; a %s was expected".formatted(peer, role.word()));
      }
    };
  }

  /** That one member. */
  static PeerCheck of(Role role, String name) {
    return peer -> {
      if (peer.role() != role || !peer.name().equals(name)) {
        throw new CertificateException("the peer is %s; %s %s was expected".formatted(peer, role.word(), name));
      }
    };
  }
}
