package dev.pageferry.ferry.command;

import dev.pageferry.common.units.Durations;
import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.ProgressDisplay;
import dev.pageferry.ferry.view.StateProgress;
import dev.pageferry.ferry.view.VmText;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmRequest;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.StartVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm start}. */
@Command(name = "start", sortOptions = false,
    description = "Boots a stopped or failed VM at step 0; a saved one continues where it was saved.")
public final class VmStart implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--host", paramLabel = "HOST",
      description = "Where to start a stopped or saved VM (default: where it was).")
  private String host = "";

  @Option(names = "--force-disks",
      description = "Takes its disks even where the host that had them is not known to have let go."
          + " Only after you have seen that it is off: two writers destroy a disk.")
  private boolean forceDisks;

  private @Nullable RestoreVmUpdate restored;

  @Mixin
  private final RequestOption requestOption = new RequestOption();

  public VmStart(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      GetVmRequest question = GetVmRequest.newBuilder().setName(name).build();
      // Repeated with the id of one that was done, it asks for the other of the two: the coordinator takes them for one.
      boolean isSaved = session.connection().read(stub -> stub.getVm(question)).getState() == Vm.State.SAVED;
      Change change = requestOption.change(session);
      Vm vm = isSaved ? restore(session, change) : start(session, change);
      session.output().rows(change.stamped(vm), VmText.table(List.of(vm)));
      return ExitCode.DONE;
    });
  }

  private Vm start(Session session, Change change) {
    StartVmRequest request = StartVmRequest.newBuilder().setName(name).setHost(host).setForceDisks(forceDisks).build();
    // Filling the memory anew takes as long as creating the VM did.
    return session.connection().changePatiently(change, stub -> stub.startVm(request));
  }

  private Vm restore(Session session, Change change) {
    RestoreVmRequest request = RestoreVmRequest.newBuilder().setName(name).setHost(host).build();
    StateProgress progress = new StateProgress("restoring " + name, session.surroundings().ticker());
    try (ProgressDisplay display = session.progress(true)) {
      session.connection().changeStream(change, stub -> stub.restoreVm(request), (RestoreVmUpdate update) -> {
        display.show(progress.after(update.getDoneBytes(), update.getTotalBytes()));
        restored = update.hasVm() ? update : restored;
      });
    }
    RestoreVmUpdate end = restored;
    if (end == null) {
      throw new Failure(ExitCode.IN_DOUBT,
          "whether %s runs is not known; the coordinator ended without a result; see 'ferry vm show', or repeat it with --request-id %s"
              .formatted(name, change.requestId()));
    }
    session.output().message("%s restored in %s".formatted(name, Durations.format(end.getSeconds())));
    return end.getVm();
  }
}
