package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.PlacementText;
import dev.pageferry.proto.cluster.v1.ArmHaRequest;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.CheckHaRequest;
import dev.pageferry.proto.cluster.v1.CheckHaResponse;
import dev.pageferry.proto.cluster.v1.GetHaStatusRequest;
import dev.pageferry.proto.cluster.v1.HaStatus;
import dev.pageferry.proto.cluster.v1.HostDeath;
import java.util.List;
import picocli.CommandLine.Command;

/** {@code ferry ha}. */
@Command(name = "ha", description = "What becomes of VMs when hosts stop.")
public final class HaCommands extends CommandGroup {
  private final Session.Opener ferry;

  public HaCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "check", sortOptions = false,
      description = "Says for the death of each host which of its VMs would not run again by themselves, and why.",
      footer = {"",
          "Exit code 4: the death of a host would leave a VM without a place. VMs that are never restarted by themselves (--ha off,",
          "without disks, with disks that no other host has) are shown, and do not count for that. Nothing is changed."})
  int check() {
    return ferry.inSession(session -> {
      // Hosts are asked whether they can run machines of QEMU.
      CheckHaResponse deaths = session.connection().patiently(
          stub -> AvailabilityGrpc.newBlockingStub(stub.getChannel()).checkHa(CheckHaRequest.getDefaultInstance()));
      session.output().document(deaths, palette -> PlacementText.of(deaths, palette));
      List<String> hosts = deaths.getHostsList().stream().filter(each -> PlacementText.withoutPlace(each) > 0)
          .map(HostDeath::getHost).toList();
      if (!hosts.isEmpty()) {
        throw new Failure(ExitCode.REFUSED,
            "VMs would be left without a place if %s stopped; add memory or a host, or change what is wished for VMs"
                .formatted(hosts.size() == 1 ? "host " + hosts.getFirst() : "one of " + String.join(", ", hosts)));
      }
      return ExitCode.DONE;
    });
  }

  @Command(name = "status", sortOptions = false,
      description = "Says whether VMs are restarted by themselves, and which wait for that.")
  int status() {
    return ferry.inSession(session -> {
      HaStatus status = session.connection().patiently(stub -> AvailabilityGrpc.newBlockingStub(stub.getChannel())
          .getHaStatus(GetHaStatusRequest.getDefaultInstance()));
      session.output().document(status, palette -> PlacementText.of(status, palette));
      return ExitCode.DONE;
    });
  }

  @Command(name = "arm", sortOptions = false,
      description = "Turns restarts of VMs whose host stopped on, as they are unless you turn them off.")
  int arm() {
    return arm(true);
  }

  @Command(name = "disarm", sortOptions = false,
      description = "Turns restarts of VMs whose host stopped off: ahead of work that silences hosts.",
      footer = {"", "VMs whose hosts stop meanwhile wait, and are restarted after 'ferry ha arm'."})
  int disarm() {
    return arm(false);
  }

  private int arm(boolean armed) {
    return ferry.inSession(session -> {
      HaStatus status = session.connection().patiently(stub -> AvailabilityGrpc.newBlockingStub(stub.getChannel())
          .armHa(ArmHaRequest.newBuilder().setArmed(armed).build()));
      session.output().document(status, palette -> PlacementText.of(status, palette));
      return ExitCode.DONE;
    });
  }
}
