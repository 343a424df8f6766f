package dev.pageferry.ferry.view;

import dev.pageferry.proto.cluster.v1.RecordsRepair;
import dev.pageferry.proto.cluster.v1.RecordsTrouble;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** Records that went back in time, for people to read. */
public final class RecordsText {
  private static final String PART = "  ";

  private RecordsText() {
  }

  /** What is wrong, and what to do; several lines. */
  static String warning(RecordsTrouble trouble) {
    StringBuilder text = new StringBuilder(
        "warning: the coordinator's records went back in time; hosts and VMs go on, but no VM can be changed or moved\n");
    if (trouble.getSinceMillis() > 0) {
      text.append(PART).append("known since ")
          .append(Instant.ofEpochMilli(trouble.getSinceMillis()).truncatedTo(ChronoUnit.SECONDS)).append('\n');
    }
    trouble.getEvidenceList().forEach(each -> text.append(PART).append(Output.oneLine(each)).append('\n'));
    if (trouble.getVmsCount() > 0) {
      text.append(PART).append("VMs whose records do not agree with what hosts report: ")
          .append(String.join(", ", trouble.getVmsList())).append('\n');
    }
    if (trouble.getSilentHostsCount() > 0) {
      text.append(PART).append("hosts that were not heard since: ")
          .append(String.join(", ", trouble.getSilentHostsList()))
          .append("; start them, or see 'ferry host confirm-dead'\n");
    }
    return text.append(PART).append("see 'ferry records repair --dry-run'").toString();
  }

  /** Shows what the coordinator says of its records, if it says something. */
  public static void warn(Output output, boolean isWrong, RecordsTrouble trouble) {
    if (isWrong) {
      output.message(warning(trouble));
    }
  }

  public static Table table(List<RecordsRepair> repairs) {
    Table table = new Table("VM", "BEFORE", "AFTER", "WHY NOT");
    for (RecordsRepair each : repairs) {
      table.row(each.getVm().isEmpty() ? each.getVmId() : each.getVm(), each.getBefore(), each.getAfter(),
          Output.oneLine(each.getRefusal()));
    }
    return table;
  }
}
