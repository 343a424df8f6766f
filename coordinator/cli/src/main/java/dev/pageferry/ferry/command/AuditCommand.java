package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.Table;
import dev.pageferry.ferry.view.Times;
import dev.pageferry.proto.cluster.v1.AuditEntry;
import dev.pageferry.proto.cluster.v1.ListAuditRequest;
import dev.pageferry.proto.cluster.v1.ListAuditResponse;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry audit}. */
@Command(name = "audit", sortOptions = false,
    description = "Every change that was asked for: who, what, when, from where, and how it ended.", footer = {"",
        "The coordinator keeps the newest 10,000. A change without an outcome is not over, or the coordinator ended",
        "meanwhile. What is only looked at, typed on consoles, or refused to a role is not in it; the last is in the coordinator's log."})
public final class AuditCommand implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", arity = "0..1", defaultValue = "",
      description = "Changes that name this host, VM, disk or member, or that it asked for (default: all).")
  private String about = "";

  @Option(names = "--limit", paramLabel = "N", converter = Converters.Count.class, defaultValue = "100",
      description = "The newest N (default 100).")
  private int limit;

  public AuditCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    ListAuditRequest request = ListAuditRequest.newBuilder().setAbout(about).setLimit(limit).build();
    return ferry.inSession(session -> {
      ListAuditResponse response = session.connection().readAccess(stub -> stub.listAudit(request));
      session.output().rows(response, table(response.getEntriesList()));
      return ExitCode.DONE;
    });
  }

  private static Table table(List<AuditEntry> entries) {
    Table table = new Table(List.of("TIME", "WHO", "FROM", "CHANGE", "ASKED", "OUTCOME"),
        List.of("REASON", "REQUEST-ID"));
    for (AuditEntry each : entries) {
      table.row(Times.text(each.getAt().getSeconds() * 1000),
          each.getWho().isEmpty() ? "unauthenticated" : each.getWho(),
          each.getFrom(), each.getMethod(), Output.oneLine(each.getRequest()),
          each.hasOutcome() ? each.getOutcome() : "-",
          Output.oneLine(each.getReason()), each.getRequestId());
    }
    return table;
  }
}
