package dev.pageferry.ferry.command;

import dev.pageferry.common.identity.Release;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Details;
import dev.pageferry.proto.cluster.v1.HostVersion;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.Versions;
import dev.pageferry.proto.cluster.v1.Versions.Fit;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code ferry version}. */
@Command(name = "version",
    description = "Versions of this command, of the coordinator and of the agents, and whether they work together.")
public final class VersionCommand implements Callable<Integer> {
  private final Session.Opener ferry;
  private final String own;

  /** @param own the version of the command */
  public VersionCommand(Session.Opener ferry, String own) {
    this.ferry = ferry;
    this.own = own;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      Versions.Builder versions = Versions.newBuilder().setCommand(own);
      ListHostsResponse hosts;
      try {
        hosts = Pages.hosts(session.connection(), 0);
      } catch (Failure e) {
        // What the command knows by itself is told all the same.
        session.output().document(versions.build(), _ -> new Details().add("ferry", own).text());
        throw e;
      }
      if (hosts.hasCoordinatorVersion()) {
        versions.setCoordinator(hosts.getCoordinatorVersion());
      }
      String coordinator = hosts.getCoordinatorVersion();
      versions.setFit(fit(coordinator, own));
      hosts.getHostsList().forEach(host -> versions.addHosts(HostVersion.newBuilder().setId(host.getId())
          .setVersion(host.getVersion()).setFit(fit(coordinator, host.getVersion()))));
      session.output().document(versions.build(), _ -> text(versions.build()));
      return ExitCode.DONE;
    });
  }

  private static Fit fit(String coordinator, String other) {
    return switch (Release.compare(coordinator, other)) {
      case SAME -> Fit.SAME;
      case COMPATIBLE -> Fit.COMPATIBLE;
      case INCOMPATIBLE -> Fit.INCOMPATIBLE;
      case UNKNOWN -> Fit.UNKNOWN;
    };
  }

  private static String text(Versions versions) {
    Details details = new Details().add("ferry", versions.getCommand() + judged(versions.getFit()))
        .add("coordinator",
            versions.hasCoordinator() ? versions.getCoordinator() : "unknown (older than this command)");
    versions.getHostsList().forEach(host -> details.add(host.getId(), host.getVersion() + judged(host.getFit())));
    return details.text();
  }

  private static String judged(Fit fit) {
    return switch (fit) {
      case COMPATIBLE -> " (works with the coordinator's version; upgrade the older one)";
      case INCOMPATIBLE -> " (too far from the coordinator's version: upgrade in steps of one)";
      case UNKNOWN -> " (cannot be compared with the coordinator's version)";
      case SAME, UNRECOGNIZED -> "";
    };
  }
}
