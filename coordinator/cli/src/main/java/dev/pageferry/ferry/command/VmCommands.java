package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.RecordsText;
import dev.pageferry.ferry.view.VmText;
import dev.pageferry.proto.cluster.v1.ClaimVmRequest;
import dev.pageferry.proto.cluster.v1.ClusterGrpc.ClusterBlockingStub;
import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmResponse;
import dev.pageferry.proto.cluster.v1.DigestVmRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.ResumeVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm}, as far as a sub-command takes no more than a name. */
@Command(name = "vm", description = "Virtual machines.")
public final class VmCommands extends CommandGroup {
  private static final String NAME = "Name of the VM.";

  private final Session.Opener ferry;

  public VmCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "All VMs, the newest first.")
  int list(@Mixin ListOptions options) {
    return ferry.inSession(session -> options.show(session, limit -> Pages.vms(session.connection(), limit),
        vms -> VmText.table(vms.getVmsList()),
        vms -> RecordsText.warn(session.output(), vms.hasRecords(), vms.getRecords())));
  }

  @Command(name = "show", description = "One VM, and where it could be moved.")
  int show(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.inSession(session -> {
      GetVmRequest request = GetVmRequest.newBuilder().setName(name).setDestinations(true).build();
      Vm vm = session.connection().read(stub -> stub.getVm(request));
      session.output().document(vm, palette -> VmText.details(vm, palette).text());
      return ExitCode.DONE;
    });
  }

  @Command(name = "pause", description = "Stops the vCPUs; the memory stays.")
  int pause(@Parameters(paramLabel = "NAME", description = NAME) String name, @Mixin RequestOption requestOption) {
    PauseVmRequest request = PauseVmRequest.newBuilder().setName(name).build();
    return changed(requestOption, stub -> stub.pauseVm(request));
  }

  @Command(name = "resume", description = "Lets the vCPUs of a paused VM go on.")
  int resume(@Parameters(paramLabel = "NAME", description = NAME) String name, @Mixin RequestOption requestOption) {
    ResumeVmRequest request = ResumeVmRequest.newBuilder().setName(name).build();
    return changed(requestOption, stub -> stub.resumeVm(request));
  }

  @Command(name = "stop", description = {"Powers the VM off: its memory is gone, its record stays.",
      "A machine of QEMU is asked by its power button first, and has a minute for it."})
  int stop(@Parameters(paramLabel = "NAME", description = NAME) String name,
      @Option(names = "--discard-state",
          description = "Throws the state of a saved VM away for that.") boolean discardState,
      @Option(names = "--force", description = "Does not ask the guest: as by pulling the plug.") boolean force,
      @Mixin RequestOption requestOption) {
    StopVmRequest request = StopVmRequest.newBuilder().setName(name).setDiscardState(discardState).setForce(force)
        .build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      // A guest has a minute to switch itself off.
      show(session, change, session.connection().changePatiently(change, stub -> stub.stopVm(request)));
      return ExitCode.DONE;
    });
  }

  @Command(name = "delete", description = "Forgets a VM that is down.")
  int delete(@Parameters(paramLabel = "NAME", description = NAME) String name,
      @Option(names = "--force",
          description = "Also one that runs, is paused or saved: what it does is lost.") boolean force,
      @Mixin RequestOption requestOption) {
    return ferry.inSession(session -> {
      DeleteVmRequest request = DeleteVmRequest.newBuilder().setName(name).setForce(force).build();
      Change change = requestOption.change(session);
      DeleteVmResponse response = session.connection().change(change, stub -> stub.deleteVm(request));
      session.output().document(change.stamped(response), palette -> "");
      if (session.output().isForPeople()) {
        session.output().message(name + " deleted");
      }
      return ExitCode.DONE;
    });
  }

  @Command(name = "claim", sortOptions = false,
      description = "After records went back in time: takes a host's report of one VM for what is true.")
  int claim(
      @Parameters(paramLabel = "NAME",
          description = "Name of the VM, or its id where the records have none.") String name,
      @Option(names = "--host", paramLabel = "HOST", required = true, description = "Whose report it is.") String host,
      @Mixin RequestOption requestOption) {
    ClaimVmRequest request = ClaimVmRequest.newBuilder().setName(name).setHost(host).build();
    return changed(requestOption, stub -> stub.claimVm(request));
  }

  @Command(name = "digest", description = "SHA-256 of the memory and of the registers at this moment.")
  int digest(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.inSession(session -> {
      DigestVmRequest request = DigestVmRequest.newBuilder().setName(name).build();
      VmDigest digest = session.connection().patiently(stub -> stub.digestVm(request));
      session.output().document(digest, palette -> VmText.details(digest).text());
      return ExitCode.DONE;
    });
  }

  private int changed(RequestOption requestOption, Function<ClusterBlockingStub, Vm> rpc) {
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      show(session, change, session.connection().change(change, rpc));
      return ExitCode.DONE;
    });
  }

  private static void show(Session session, Change change, Vm vm) {
    session.output().rows(change.stamped(vm), VmText.table(List.of(vm)));
  }
}
