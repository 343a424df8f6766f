package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.RecordsText;
import dev.pageferry.proto.cluster.v1.RepairRecordsRequest;
import dev.pageferry.proto.cluster.v1.RepairRecordsResponse;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code ferry records}. */
@Command(name = "records", description = "What the coordinator keeps of hosts and VMs.")
public final class RecordsCommands extends CommandGroup {
  private final Session.Opener ferry;

  public RecordsCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "repair", sortOptions = false,
      description = "After records went back in time (a restored backup): puts them right from what hosts report.",
      footer = {"", "Exits with 4 as long as something is left to be put right; with --dry-run always with 0."})
  int repair(@Option(names = "--dry-run", description = "Only says what it would do.") boolean dryRun,
      @Mixin RequestOption requestOption) {
    RepairRecordsRequest request = RepairRecordsRequest.newBuilder().setDryRun(dryRun).build();
    return ferry.inSession(session -> {
      RepairRecordsResponse response;
      if (dryRun) {
        response = session.connection().patiently(stub -> stub.repairRecords(request));
      } else {
        Change change = requestOption.change(session);
        response = change.stamped(session.connection().changePatiently(change, stub -> stub.repairRecords(request)));
      }
      session.output().document(response,
          palette -> response.getRepairsCount() == 0 ? "" : RecordsText.table(response.getRepairsList()).text(palette));
      RecordsText.warn(session.output(), response.hasRecords(), response.getRecords());
      if (response.getRepairsCount() == 0 && !response.hasRecords()) {
        session.output().message("the records agree with what hosts report; there is nothing to repair");
      }
      if (response.hasRecords() && !dryRun) {
        long refused = response.getRepairsList().stream().filter(each -> !each.getRefusal().isEmpty()).count();
        throw new Failure(ExitCode.REFUSED,
            "the records are not right yet; %d VMs and %d hosts are left; see above, then repeat this".formatted(
                Math.max(refused, response.getRecords().getVmsCount()), response.getRecords().getSilentHostsCount()));
      }
      return ExitCode.DONE;
    });
  }
}
