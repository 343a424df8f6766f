package dev.pageferry.coordinator.validation;

import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.coordinator.validation.ClusterLook.OwnCertificate;
import dev.pageferry.proto.agent.v1.CertificateFacts;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** Whether members know each other, and until when. That both sides of each connection accepted the other shows in that they answered. */
final class CertificateChecks {
  private static final String USED = "certificates-used";
  private static final String VALID = "certificates-valid";
  private static final Duration SOON = Duration.ofDays(30);
  private static final String RENEW = "renew it ('ferry cert renew'); the files are read again without a restart";

  private CertificateChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category certificates = findings.of("certificates");
    if (cluster.own().isEmpty()) {
      certificates.warn(USED, List.of(),
          "this cluster works without certificates: whoever reaches it may do everything",
          "make some with 'ferry cert init', and start all servers with --tls-cert, --tls-key and --tls-ca");
      return;
    }
    OwnCertificate own = cluster.own().get();
    if (cluster.answered().isEmpty()) {
      certificates.skip(USED, List.of(), "no host has answered over a connection that shows a certificate");
      return;
    }
    certificates.pass(USED, "coordinator and hosts of cluster %s know each other, both ways".formatted(
        own.self().cluster()));
    look(List.of(), own.self().toString(), own.notAfter(), cluster.at(), certificates);
    Instant first = own.notAfter();
    for (HostLook each : cluster.answered()) {
      CertificateFacts facts = each.facts().orElseThrow().getCertificate();
      if (each.facts().orElseThrow().hasCertificate()) {
        Instant notAfter = Instant.ofEpochSecond(facts.getNotAfterSeconds());
        first = notAfter.isBefore(first) ? notAfter : first;
        look(List.of(each.name()), facts.getMember(), notAfter, cluster.at(), certificates);
      }
    }
    certificates.passUnlessFound(VALID, "all are valid until %s or longer".formatted(first));
  }

  private static void look(List<String> hosts, String member, Instant notAfter, Instant now,
      Findings.Category certificates) {
    Duration left = Duration.between(now, notAfter);
    if (left.isNegative()) {
      certificates.fail(VALID, hosts, "the certificate of %s ended at %s".formatted(member,
          notAfter.truncatedTo(ChronoUnit.SECONDS)), RENEW);
    } else if (left.compareTo(SOON) < 0) {
      certificates.warn(VALID, hosts, "the certificate of %s ends in %d days, at %s".formatted(member, left.toDays(),
          notAfter.truncatedTo(ChronoUnit.SECONDS)), RENEW);
    }
  }
}
