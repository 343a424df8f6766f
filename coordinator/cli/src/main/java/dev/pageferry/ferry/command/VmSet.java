package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.VmText;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.HostPreference;
import dev.pageferry.proto.cluster.v1.SetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm set}. */
@Command(name = "set", sortOptions = false,
    description = "Changes what you wish for a VM when its host stops; the VM itself is not touched.", footer = {"",
        "What is not given stays. 'ferry vm place' says where the VM would go, 'ferry ha check' which VMs of any host would be",
        "left without a place, 'ferry ha status' which of them wait to run again."})
public final class VmSet implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--ha", paramLabel = "auto|on|off", converter = Converters.HaMode.class,
      completionCandidates = Candidates.HaModes.class,
      description = "auto (the default): where disks or the host itself say that nothing is left of it there;%n"
          + "on: also without disks; off: never by itself.")
  private Ha.@Nullable Name ha;

  @Option(names = "--priority", paramLabel = "N",
      description = "0 to 1000 (default 500); the higher is restarted first.")
  private @Nullable Integer priority;

  @Option(names = "--prefer", paramLabel = "HOST,...",
      description = "Hosts where it is to go, the best first; '': no preference.")
  private @Nullable String prefer;

  @Option(names = "--apart-from", paramLabel = "GROUP",
      description = "VMs with the same group are not restarted on one host; '': none.")
  private @Nullable String apartFrom;

  @Mixin
  private final RequestOption requestOption = new RequestOption();

  public VmSet(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    SetVmRequest request = request();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      Vm vm = session.connection().change(change, stub -> stub.setVm(request));
      session.output().document(change.stamped(vm), palette -> VmText.details(vm, palette).text());
      return ExitCode.DONE;
    });
  }

  private SetVmRequest request() {
    SetVmRequest.Builder request = SetVmRequest.newBuilder().setName(name);
    if (ha != null) {
      request.setHa(ha);
    }
    if (priority != null) {
      request.setPriority(priority);
    }
    if (prefer != null) {
      request.setPrefer(HostPreference.newBuilder()
          .addAllHosts(prefer.isEmpty() ? List.of() : List.of(prefer.split(",", -1))));
    }
    if (apartFrom != null) {
      request.setApartFrom(apartFrom);
    }
    if (ha == null && priority == null && prefer == null && apartFrom == null) {
      throw new Failure(ExitCode.USAGE,
          "nothing is to be set; give --ha, --priority, --prefer or --apart-from; see 'ferry vm set --help'");
    }
    return request.build();
  }
}
