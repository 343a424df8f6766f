package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.ActivateHostRequest;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry host activate}. */
@Command(name = "activate", sortOptions = false,
    description = "Lets VMs come to a host that was drained, and brings back those that left it.",
    footer = {"",
        "VMs that an operator has moved on since, and those that were stopped, stay as they are. A host that is not drained",
        "stays as it is; repeated, it tries once more what failed."})
public final class HostActivate implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "HOST", description = "Id of the host.")
  private String host = "";

  @Option(names = "--no-fail-back", description = "VMs that left it stay where they are.")
  private boolean noFailBack;

  @Mixin
  private final PlanOptions plan = new PlanOptions();

  public HostActivate(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    ActivateHostRequest request = ActivateHostRequest.newBuilder().setHost(host).setNoFailBack(noFailBack).build();
    return ferry.inSession(session -> plan.run(session, stub -> stub.activateHost(request)));
  }
}
