package dev.pageferry.ferry.command;

import com.google.protobuf.util.Timestamps;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Details;
import dev.pageferry.ferry.view.FenceText;
import dev.pageferry.ferry.view.Palette;
import dev.pageferry.ferry.view.RecordsText;
import dev.pageferry.ferry.view.Table;
import dev.pageferry.ferry.view.Times;
import dev.pageferry.proto.cluster.v1.AdmitHostRequest;
import dev.pageferry.proto.cluster.v1.AdmitHostResponse;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.DeleteHostRequest;
import dev.pageferry.proto.cluster.v1.DeleteHostResponse;
import dev.pageferry.proto.cluster.v1.FenceStatus;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.HostFencing;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.TestFencingRequest;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
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

  @Command(name = "admit", sortOptions = false, description = "Takes hosts into the cluster, before they come.",
      footer = {
          "",
          "A host shows who it is by its certificate; this says that it belongs here. A token takes in one host, whatever",
          "its id: give it to its agent by --join-token-file."})
  int admit(
      @Parameters(paramLabel = "HOST", arity = "0..*",
          description = "Ids of the hosts, as their certificates have them.") @Nullable List<String> hosts,
      @Option(names = "--token", description = "Prints a token instead.") boolean token,
      @Option(names = "--valid", paramLabel = "TIME", converter = Converters.Millis.class,
          description = "How long the token may be used, up to 720h, such as 1h (default 24h).") @Nullable Long valid,
      @Mixin RequestOption requestOption) {
    List<String> names = Objects.requireNonNullElse(hosts, List.of());
    if (names.isEmpty() != token || (valid != null && !token)) {
      throw new Failure(ExitCode.USAGE,
          "either name hosts, or give --token (with --valid, if you like); see 'ferry host admit --help'");
    }
    AdmitHostRequest.Builder request = AdmitHostRequest.newBuilder().addAllHostIds(names);
    if (valid != null) {
      request.setTokenSeconds(Math.ceilDiv(valid, 1000));
    }
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      AdmitHostResponse response = session.connection().changeAccess(change, stub -> stub.admitHost(request.build()));
      session.output().document(response, palette -> token ? response.getToken() + "\n" : "");
      if (session.output().isForPeople()) {
        session.output().message(token
            ? "for one host, until " + Times.text(response.getTokenEndsAt().getSeconds() * 1000)
            : String.join(", ", names) + " admitted");
      }
      return ExitCode.DONE;
    });
  }

  @Command(name = "delete", sortOptions = false, description = "Takes a host out of the cluster, for good.", footer = {
      "", "It has to be down, and without VMs. From then on it is refused, whatever its certificate says, until it is",
      "admitted again."})
  int delete(@Parameters(paramLabel = "HOST", description = "Id of the host.") String host,
      @Mixin RequestOption requestOption) {
    DeleteHostRequest request = DeleteHostRequest.newBuilder().setId(host).build();
    return ferry.inSession(session -> {
      DeleteHostResponse response = session.connection().changeAccess(requestOption.change(session),
          stub -> stub.deleteHost(request));
      session.output().document(response, palette -> "");
      if (session.output().isForPeople()) {
        session.output().message("host %s deleted".formatted(host));
      }
      return ExitCode.DONE;
    });
  }

  @Command(name = "fence-test", sortOptions = false,
      description = "Asks the fence agents of a host for its status; switches nothing.",
      footer = {"", "Exit code 4: one of them did not tell it. So it could not switch the host off."})
  int fenceTest(@Parameters(paramLabel = "HOST", description = "Id of the host.") String host) {
    TestFencingRequest request = TestFencingRequest.newBuilder().setHost(host).build();
    return ferry.inSession(session -> {
      HostFencing fencing = session.connection()
          .patiently(stub -> AvailabilityGrpc.newBlockingStub(stub.getChannel()).testFencing(request));
      session.output().document(fencing, palette -> FenceText.of(fencing, palette));
      long failed = fencing.getStatusesList().stream().filter(each -> each.getState() == FenceStatus.State.FAILED)
          .count();
      if (failed > 0) {
        throw new Failure(ExitCode.REFUSED, "%d of %d fence devices of host %s do not tell its status".formatted(failed,
            fencing.getDevicesCount(), host));
      }
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
    Details details = new Details().add("id", host.getId()).add("state", palette.paint(host.getState().toString()))
        .add("address", host.getAddress()).add("migration address", host.getMigrationAddress())
        .add("memory", ByteSize.format(host.getMemoryBytes()))
        .add("memory free", ByteSize.format(host.getMemoryFreeBytes()))
        .add("storage", host.getStorageId()).add("vms", host.getVms()).add("version", host.getVersion())
        .add("in doubt", String.join("; ", host.getInDoubtList()))
        .add("quarantined until",
            host.hasQuarantinedUntil() ? Times.text(Timestamps.toMillis(host.getQuarantinedUntil())) : "");
    FenceText.add(details, host, palette);
    return details;
  }
}
