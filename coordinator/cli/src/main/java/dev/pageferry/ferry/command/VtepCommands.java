package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Table;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.DeleteVtepRequest;
import dev.pageferry.proto.cluster.v1.DeleteVtepResponse;
import dev.pageferry.proto.cluster.v1.Vtep;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vtep}. */
@Command(name = "vtep", description = "Ends of VXLAN tunnels (VTEPs): who is on the networks of VMs.")
public final class VtepCommands extends CommandGroup {
  private final Session.Opener ferry;

  public VtepCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "The hosts, and what was added to them.")
  int list(@Mixin ListOptions options) {
    return ferry.inSession(session -> options.show(session, limit -> Pages.vteps(session.connection(), limit),
        vteps -> table(vteps.getVtepsList()), _ -> {
        }));
  }

  @Command(name = "add", sortOptions = false,
      description = "Lets a non-member host into the networks, such as a Linux host with a vxlan device.")
  int add(@Parameters(paramLabel = "NAME", description = "Name of the new VTEP.") String name,
      @Option(names = "--address", paramLabel = "IP:PORT", required = true,
          description = "Where it takes VXLAN; the port that IANA assigned is 4789.") String address,
      @Option(names = "--vni", paramLabel = "VNI", converter = Converters.Vni.class, defaultValue = "1",
          description = "The one network that it is on (default 1).") int vni,
      @Mixin RequestOption requestOption) {
    AddVtepRequest request = AddVtepRequest.newBuilder().setName(name).setAddress(address).setVni(vni).build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      Vtep vtep = session.connection().change(change, stub -> stub.addVtep(request));
      session.output().rows(change.stamped(vtep), table(List.of(vtep)));
      return ExitCode.DONE;
    });
  }

  @Command(name = "delete", description = "Shuts a VTEP out again.")
  int delete(@Parameters(paramLabel = "NAME", description = "Name of the VTEP.") String name,
      @Mixin RequestOption requestOption) {
    DeleteVtepRequest request = DeleteVtepRequest.newBuilder().setName(name).build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      DeleteVtepResponse response = session.connection().change(change, stub -> stub.deleteVtep(request));
      session.output().document(change.stamped(response), palette -> "");
      if (session.output().isForPeople()) {
        session.output().message(name + " deleted");
      }
      return ExitCode.DONE;
    });
  }

  private static Table table(List<Vtep> vteps) {
    Table table = new Table("NAME", "ADDRESS", "NETWORK", "HOST");
    for (Vtep each : vteps) {
      table.row(each.getName(), each.getAddress(), each.getVni() == 0 ? "all" : each.getVni(),
          each.getHost() ? "yes" : "no");
    }
    return table;
  }
}
