package dev.pageferry.common.tls;

import dev.pageferry.common.identity.Names;
import java.net.URI;
import java.net.URISyntaxException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A member of a cluster, as its certificate names it: the one subject alternative name that is a URI,
 * {@code spiffe://CLUSTER/ROLE/NAME} (RFC 5280, 4.2.1.6; SPIFFE-ID, 2). All three parts are names as everywhere.
 *
 * @param name of a host its id; of others what their operator chose
 */
public record Member(String cluster, Role role, String name) {
  private static final String SCHEME = "spiffe";
  /** The tag of a URI among general names. */
  private static final Integer URI_NAME = 6;

  /** @throws IllegalArgumentException if the cluster or the name is malformed */
  public Member {
    Names.check("cluster", cluster);
    Names.check(role.word(), name);
  }

  /** @throws CertificateException if the certificate names no member, or more than one */
  public static Member of(X509Certificate certificate) throws CertificateException {
    List<String> uris = uris(certificate);
    if (uris.size() != 1) {
      throw new CertificateException("the certificate of '%s' has %d URIs as alternative names; a member's has one"
          .formatted(certificate.getSubjectX500Principal(), uris.size()));
    }
    return parse(uris.getFirst());
  }

  private static List<String> uris(X509Certificate certificate) throws CertificateParsingException {
    List<String> uris = new ArrayList<>();
    Collection<List<?>> names = certificate.getSubjectAlternativeNames();
    for (List<?> each : Objects.requireNonNullElse(names, List.<List<?>>of())) {
      if (URI_NAME.equals(each.get(0))) {
        uris.add(String.valueOf(each.get(1)));
      }
    }
    return uris;
  }

  /**
   * The cluster whose members an authority certifies, as its own certificate names it: {@code spiffe://CLUSTER}.
   *
   * @return empty: it names none, as one that was not made for a cluster
   */
  public static Optional<String> clusterOf(X509Certificate authority) throws CertificateException {
    return uris(authority).stream().filter(each -> each.startsWith(SCHEME + "://"))
        .map(each -> each.substring(SCHEME.length() + 3)).filter(each -> !each.contains("/")).findFirst();
  }

  /** As it stands in the certificate of a cluster's authority. */
  public static String clusterUri(String cluster) {
    return "%s://%s".formatted(SCHEME, cluster);
  }

  private static Member parse(String text) throws CertificateException {
    try {
      URI uri = new URI(text);
      String[] path = String.valueOf(uri.getRawPath()).split("/", -1);
      if (SCHEME.equals(uri.getScheme()) && uri.getRawAuthority() != null && path.length == 3 && path[0].isEmpty()
          && uri.getRawQuery() == null && uri.getRawFragment() == null) {
        Role role = Role.of(path[1]).orElseThrow(() -> new CertificateException(
            "'%s' names no member: there is no role '%s'".formatted(text, path[1])));
        return new Member(uri.getRawAuthority(), role, path[2]);
      }
    } catch (URISyntaxException | IllegalArgumentException e) {
      throw new CertificateException("'%s' names no member: %s".formatted(text, e.getMessage()), e);
    }
    throw new CertificateException("'%s' names no member: it is not spiffe://CLUSTER/ROLE/NAME".formatted(text));
  }

  /** As it stands in certificates. */
  public String uri() {
    return "%s://%s/%s/%s".formatted(SCHEME, cluster, role.word(), name);
  }

  /** For people: {@code host host-a}. */
  @Override
  public String toString() {
    return "%s %s".formatted(role.word(), name);
  }
}
