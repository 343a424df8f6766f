package dev.pageferry.common.tls;

import java.security.cert.CertificateException;

/** Who may be at the other end of a connection, beside that it is of one's own cluster. */
@FunctionalInterface
public interface PeerCheck {
  /** Any member: what it may do is decided for each request. */
  PeerCheck ANY_MEMBER = (peer, asked) -> {
  };
  /** The host that the connection is made to, by its name. */
  PeerCheck NAMED_HOST = (peer, asked) -> of(Role.HOST, asked).check(peer, asked);

  /**
   * Checks who is there.
   *
   * @param asked the name that a client asked for when it began with TLS; empty: none
   * @throws CertificateException saying who was expected, if it is not that one
   */
  void check(Member peer, String asked) throws CertificateException;

  /** Any member of that role. */
  static PeerCheck any(Role role) {
    return (peer, asked) -> {
      if (peer.role() != role) {
        throw new CertificateException("the peer is %s; a %s was expected".formatted(peer, role.word()));
      }
    };
  }

  /** That one member. */
  static PeerCheck of(Role role, String name) {
    return (peer, asked) -> {
      if (peer.role() != role || !peer.name().equals(name)) {
        throw new CertificateException("the peer is %s; %s %s was expected".formatted(peer, role.word(), name));
      }
    };
  }
}
