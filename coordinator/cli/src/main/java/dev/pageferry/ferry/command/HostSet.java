package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.FenceText;
import dev.pageferry.proto.cluster.v1.AvailabilityGrpc;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import dev.pageferry.proto.cluster.v1.HostFencing;
import dev.pageferry.proto.cluster.v1.SetFencingRequest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry host set}. */
@Command(name = "set", sortOptions = false,
    description = "Sets the fence agents that switch a silent host off when nothing else shows that it has stopped.",
    footer = {"",
        "Fence agents are the programs of Linux clusters (packages fence-agents); the coordinator runs",
        "them on its own machine. Options belong to the --fence-agent before them: give it once more for",
        "each further power supply, since all of them have to say that the host is off. What is given",
        "takes the place of all that there was. Each is asked for its status first: one that does not",
        "tell it, or says that a host is off that is UP, is refused (exit code 4).",
        "",
        "  ferry host set host-a --fence-agent fence_ipmilan --fence-option ip=10.0.9.1 --fence-option username=fence \\",
        "      --fence-option lanplus=1 --fence-option-file password=/etc/pageferry/fence-host-a",
        "",
        "Only --fence-option-file takes secrets: the file is on the coordinator's machine, of the",
        "coordinator's user, with mode 600."})
public final class HostSet implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "HOST", description = "Id of the host.")
  private String host = "";

  @ArgGroup(exclusive = false, multiplicity = "0..*")
  private @Nullable List<Device> devices;

  @Option(names = "--no-fence", description = "Removes the fence agents of the host.")
  private boolean noFence;

  @Option(names = "--no-check", description = "Takes the devices without asking them for their status.")
  private boolean noCheck;

  /** What belongs to one device. */
  static final class Device {
    @Option(names = "--fence-agent", paramLabel = "NAME", required = true,
        description = "Name of a fence agent, such as fence_ipmilan.")
    private String agent = "";

    @Option(names = "--fence-option", paramLabel = "KEY=VALUE",
        description = "Option of that agent; may be repeated.")
    private @Nullable List<String> options;

    @Option(names = "--fence-option-file", paramLabel = "KEY=FILE",
        description = "The same, with its value in a file of the coordinator's machine; may be repeated.")
    private @Nullable List<String> optionFiles;

    FenceDevice message() {
      return FenceDevice.newBuilder().setAgent(agent).putAllOptions(pairs("--fence-option", options))
          .putAllOptionFiles(pairs("--fence-option-file", optionFiles)).build();
    }

    private static Map<String, String> pairs(String option, @Nullable List<String> given) {
      Map<String, String> pairs = new LinkedHashMap<>();
      for (String each : Objects.requireNonNullElse(given, List.<String>of())) {
        int equals = each.indexOf('=');
        if (equals < 1) {
          throw new Failure(ExitCode.USAGE, "'%s' for %s is not %s".formatted(equals < 0 ? each : "=...", option,
              option.equals("--fence-option") ? "KEY=VALUE" : "KEY=FILE"));
        }
        if (pairs.put(each.substring(0, equals), each.substring(equals + 1)) != null) {
          throw new Failure(ExitCode.USAGE, "%s %s is given twice for one --fence-agent".formatted(option,
              each.substring(0, equals)));
        }
      }
      return pairs;
    }
  }

  public HostSet(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    List<Device> given = Objects.requireNonNullElse(devices, List.of());
    if (given.isEmpty() != noFence || noFence && noCheck) {
      throw new Failure(ExitCode.USAGE, noFence
          ? "--no-fence takes no --fence-agent and no --no-check; see 'ferry host set --help'"
          : "--fence-agent or --no-fence is missing; see 'ferry host set --help'");
    }
    SetFencingRequest request = SetFencingRequest.newBuilder().setHost(host)
        .addAllDevices(given.stream().map(Device::message).toList()).setUnchecked(noCheck).build();
    return ferry.inSession(session -> {
      HostFencing fencing = session.connection()
          .patiently(stub -> AvailabilityGrpc.newBlockingStub(stub.getChannel()).setFencing(request));
      session.output().document(fencing, palette -> FenceText.of(fencing, palette));
      return ExitCode.DONE;
    });
  }
}
