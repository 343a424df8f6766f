package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.ProgressDisplay;
import dev.pageferry.ferry.view.ReplayProgress;
import dev.pageferry.ferry.view.VmText;
import dev.pageferry.proto.cluster.v1.VerifyVmRequest;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.VmVerification;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code ferry vm verify}. */
@Command(name = "verify", description = "Replays a twin of the VM and compares every page.")
public final class VmVerify implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  private @Nullable VmVerification result;

  public VmVerify(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      replay(session);
      VmVerification verified = result;
      if (verified == null) {
        throw new Failure(ExitCode.FAILED,
            "%s is not verified; the coordinator ended the replay without a result; try again".formatted(name));
      }
      session.output().document(verified, palette -> VmText.details(verified).text());
      if (!verified.getIdentical()) {
        throw new Failure(ExitCode.FAILED, difference(verified));
      }
      return ExitCode.DONE;
    });
  }

  private void replay(Session session) {
    VerifyVmRequest request = VerifyVmRequest.newBuilder().setName(name).build();
    ReplayProgress progress = new ReplayProgress(name, session.surroundings().ticker());
    try (ProgressDisplay display = session.progress(true)) {
      session.connection().stream(stub -> stub.verifyVm(request), (VerifyVmUpdate update) -> {
        display.show(progress.after(update));
        result = update.hasResult() ? update.getResult() : result;
      });
    }
  }

  private static String difference(VmVerification result) {
    String where = result.hasFirstDifference()
        ? "page %d is the first that differs".formatted(result.getFirstDifference())
        : "the registers differ";
    return "%s is not identical to its replayed twin; %s after %d steps on %s; its memory cannot be trusted, start it anew"
        .formatted(result.getName(), where, result.getSteps(), result.getHost());
  }
}
