package dev.pageferry.coordinator.validation;

import dev.pageferry.common.identity.Release;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.proto.agent.v1.HostFacts;
import java.util.List;

/** Whether the programs of the cluster work together. */
final class VersionChecks {
  private static final String FIT = "versions-fit";
  private static final String PROTOCOLS = "protocols-fit";

  private VersionChecks() {
  }

  static void look(ClusterLook cluster, Findings findings) {
    Findings.Category versions = findings.of("versions");
    String own = cluster.coordinatorVersion();
    for (HostLook each : cluster.hosts()) {
      String version = each.version();
      List<String> self = List.of(each.name());
      switch (Release.compare(own, version)) {
        case SAME -> {
          // As it should be.
        }
        case COMPATIBLE ->
          versions.warn(FIT, self, "its agent is of version %s, the coordinator of %s".formatted(version,
              own), "they work together while a cluster is upgraded: bring all to one version");
        case INCOMPATIBLE -> versions.fail(FIT, self, "its agent is of version %s, the coordinator of %s".formatted(
            version, own), "versions that are one apart work together: upgrade in steps");
        case UNKNOWN ->
          versions.warn(FIT, self, "its agent is of version '%s', the coordinator of '%s', which are not releases"
              .formatted(version, own), "run releases");
      }
    }
    if (!cluster.hosts().isEmpty()) {
      versions.passUnlessFound(FIT, "coordinator and agents are of version %s".formatted(own));
    }
    if (!cluster.answered().isEmpty()) {
      lookAtProtocols(cluster.answered(), versions);
    }
  }

  private static void lookAtProtocols(List<HostLook> hosts, Findings.Category versions) {
    for (int i = 0; i < hosts.size(); i++) {
      for (int j = i + 1; j < hosts.size(); j++) {
        HostFacts a = hosts.get(i).facts().orElseThrow();
        HostFacts b = hosts.get(j).facts().orElseThrow();
        List<String> both = List.of(hosts.get(i).name(), hosts.get(j).name());
        if (a.getLowestProtocol() > b.getHighestProtocol() || b.getLowestProtocol() > a.getHighestProtocol()) {
          versions.fail(PROTOCOLS, both,
              "they speak versions %d to %d and %d to %d of the migration protocol".formatted(
                  a.getLowestProtocol(), a.getHighestProtocol(), b.getLowestProtocol(), b.getHighestProtocol()),
              "upgrade the older one");
        }
      }
    }
    versions.passUnlessFound(PROTOCOLS, "all speak version %d of the migration protocol".formatted(
        hosts.getFirst().facts().orElseThrow().getHighestProtocol()));
  }
}
