package dev.pageferry.coordinator.cli;

import dev.pageferry.proto.cluster.v1.DeleteVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmResponse;
import dev.pageferry.proto.cluster.v1.DigestVmRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.ListVmsRequest;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.PauseVmRequest;
import dev.pageferry.proto.cluster.v1.ResumeVmRequest;
import dev.pageferry.proto.cluster.v1.StopVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDigest;
import java.util.List;
import java.util.function.Function;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ferry vm}, as far as a sub-command takes no more than a name. */
@Command(name = "vm", description = "Virtual machines.")
final class VmCommands extends CommandGroup {
  private static final String NAME = "Name of the VM.";

  private final Session.Opener ferry;

  VmCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "All VMs.")
  int list() {
    return ferry.inSession(session -> {
      ListVmsResponse vms = session.connection().read(stub -> stub.listVms(ListVmsRequest.getDefaultInstance()));
      session.output().document(vms, palette -> VmText.table(vms.getVmsList()).text(palette));
      return ExitCode.DONE;
    });
  }

  @Command(name = "show", description = "One VM.")
  int show(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.inSession(session -> {
      GetVmRequest request = GetVmRequest.newBuilder().setName(name).build();
      Vm vm = session.connection().read(stub -> stub.getVm(request));
      session.output().document(vm, palette -> VmText.details(vm, palette).text());
      return ExitCode.DONE;
    });
  }

  @Command(name = "pause", description = "Stops the vCPUs; the memory stays.")
  int pause(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    PauseVmRequest request = PauseVmRequest.newBuilder().setName(name).build();
    return changed(connection -> connection.change(stub -> stub.pauseVm(request)));
  }

  @Command(name = "resume", description = "Lets the vCPUs of a paused VM go on.")
  int resume(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    ResumeVmRequest request = ResumeVmRequest.newBuilder().setName(name).build();
    return changed(connection -> connection.change(stub -> stub.resumeVm(request)));
  }

  @Command(name = "stop", description = "Powers the VM off: its memory is gone, its record stays.")
  int stop(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    StopVmRequest request = StopVmRequest.newBuilder().setName(name).build();
    return changed(connection -> connection.change(stub -> stub.stopVm(request)));
  }

  @Command(name = "delete", description = "Forgets the VM.")
  int delete(@Parameters(paramLabel = "NAME", description = NAME) String name) {
    return ferry.inSession(session -> {
      DeleteVmRequest request = DeleteVmRequest.newBuilder().setName(name).build();
      DeleteVmResponse response = session.connection().change(stub -> stub.deleteVm(request));
      session.output().document(response, palette -> "");
      if (!session.output().isJson()) {
        session.output().message(name + " deleted");
      }
      return ExitCode.DONE;
    });
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

  private int changed(Function<Connection, Vm> change) {
    return ferry.inSession(session -> {
      Vm vm = change.apply(session.connection());
      session.output().document(vm, palette -> VmText.table(List.of(vm)).text(palette));
      return ExitCode.DONE;
    });
  }
}
