package dev.pageferry.coordinator.validation;

import com.google.protobuf.Timestamp;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.proto.cluster.v1.ValidationLink;
import dev.pageferry.proto.cluster.v1.ValidationReport;

/** Runs all checks, and makes the report. */
final class ReportBuilder {
  private ReportBuilder() {
  }

  static ValidationReport of(ClusterLook cluster, double seconds) {
    Findings findings = new Findings();
    HostChecks.look(cluster, findings);
    StorageChecks.look(cluster, findings);
    NetworkChecks.look(cluster, findings);
    VersionChecks.look(cluster, findings);
    QemuChecks.look(cluster, findings);
    MemoryChecks.look(cluster, findings);
    ClockChecks.look(cluster, findings);
    NameChecks.look(cluster, findings);
    CertificateChecks.look(cluster, findings);
    ValidationReport.Builder report = ValidationReport.newBuilder()
        .setAt(Timestamp.newBuilder().setSeconds(cluster.at().getEpochSecond()).setNanos(cluster.at().getNano()))
        .setSeconds(seconds).addAllHosts(cluster.hosts().stream().map(HostLook::name).toList())
        .setResult(findings.worst()).addAllChecks(findings.all());
    cluster.links().forEach(each -> {
      ValidationLink.Builder link = report.addLinksBuilder().setSource(each.source()).setDestination(each.destination())
          .setTrouble(each.trouble());
      each.bytesPerSecond().ifPresent(link::setBytesPerSecond);
      each.measure().filter(it -> it.getRoundTripSeconds() > 0)
          .ifPresent(it -> link.setRoundTripSeconds(it.getRoundTripSeconds()));
      each.measure().filter(it -> it.getPathMtu() > 0).ifPresent(it -> link.setPathMtu(it.getPathMtu()));
    });
    return report.build();
  }
}
