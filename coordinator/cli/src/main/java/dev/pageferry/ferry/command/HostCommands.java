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
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code ferry host}. */
@Command(name = "host", description = "The machines that VMs run on.")
public final class HostCommands extends CommandGroup {
  private final Session.Opener ferry;

  public HostCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "All hosts that registered.")
  int list(@Mixin ListOptions options) {
    return ferry.inSession(session -> options.show(session, limit -> Pages.hosts(session.connection(), limit),
        HostCommands::table,
        hosts -> RecordsText.warn(session.output(), hosts.hasRecords(), hosts.getRecords())));
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
    Table table = new Table(List.of("HOST", "STATE", "ADDRESS", "MEMORY", "FREE", "VMS", "VERSION"),
        List.of("MIGRATION", "VXLAN", "STORAGE"));
    for (Host host : hosts.getHostsList()) {
      table.row(host.getId(), host.getState(), host.getAddress(), ByteSize.format(host.getMemoryBytes()),
          ByteSize.format(host.getMemoryFreeBytes()), host.getVms(), host.getVersion(),
          host.getMigrationAddress(), host.getVxlanAddress(), host.getStorageId());
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
