package dev.pageferry.ferry.command;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Details;
import dev.pageferry.ferry.view.Palette;
import dev.pageferry.ferry.view.RecordsText;
import dev.pageferry.ferry.view.Table;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ferry host}. */
@Command(name = "host", description = "The machines that VMs run on.")
public final class HostCommands extends CommandGroup {
  private final Session.Opener ferry;

  public HostCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "All hosts that registered.")
  int list() {
    return ferry.inSession(session -> {
      ListHostsResponse hosts = session.connection()
          .read(stub -> stub.listHosts(ListHostsRequest.getDefaultInstance()));
      session.output().document(hosts, palette -> table(hosts).text(palette));
      RecordsText.warn(session.output(), hosts.hasRecords(), hosts.getRecords());
      return ExitCode.DONE;
    });
  }

  @Command(name = "show", description = "One host.")
  int show(@Parameters(paramLabel = "HOST", description = "Id of the host.") String id) {
    return ferry.inSession(session -> {
      GetHostRequest request = GetHostRequest.newBuilder().setId(id).build();
      Host host = session.connection().read(stub -> stub.getHost(request));
      session.output().document(host, palette -> details(host, palette).text());
      return ExitCode.DONE;
    });
  }

  private static Table table(ListHostsResponse hosts) {
    Table table = new Table("HOST", "STATE", "ADDRESS", "MEMORY", "FREE", "VMS", "VERSION");
    for (Host host : hosts.getHostsList()) {
      table.row(host.getId(), host.getState(), host.getAddress(), ByteSize.format(host.getMemoryBytes()),
          ByteSize.format(host.getMemoryFreeBytes()), host.getVms(), host.getVersion());
    }
    return table;
  }

  private static Details details(Host host, Palette palette) {
    return new Details().add("id", host.getId()).add("state", palette.paint(host.getState().toString()))
        .add("address", host.getAddress()).add("migration address", host.getMigrationAddress())
        .add("memory", ByteSize.format(host.getMemoryBytes()))
        .add("memory free", ByteSize.format(host.getMemoryFreeBytes()))
        .add("storage", host.getStorageId()).add("vms", host.getVms()).add("version", host.getVersion())
        .add("in doubt", String.join("; ", host.getInDoubtList()));
  }
}
