package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.PlacementText;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.PlaceVmRequest;
import dev.pageferry.proto.cluster.v1.VmPlacement;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ferry vm place}. */
@Command(name = "place", sortOptions = false,
    description = "Says where a VM would go if its host stopped now, with a reason for each host.", footer = {"",
        "VMs of its host that come before it (by priority, then size, then name) are placed before it. One that is in no host's",
        "memory is placed as if it were started now. Nothing is changed."})
public final class VmPlace implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  public VmPlace(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      PlaceVmRequest request = PlaceVmRequest.newBuilder().setName(name).build();
      // Hosts are asked whether they can run it.
      VmPlacement placement = session.connection()
          .patiently(stub -> AvailabilityGrpc.newBlockingStub(stub.getChannel()).placeVm(request));
      session.output().document(placement, palette -> PlacementText.of(placement, palette));
      return ExitCode.DONE;
    });
  }
}
