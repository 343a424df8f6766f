package dev.pageferry.ferry.command;

import dev.pageferry.ferry.ping.Pinger;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.session.Surroundings;
import dev.pageferry.ferry.view.PingText;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmPing;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm ping}. */
@Command(name = "ping", sortOptions = false,
    description = "Pings the VM from a client on its network: loss, longest gap, round trips.", footer = {"",
        "The client joins the network as a tunnel end of its own while it pings, so hosts must be",
        "able to reach this machine by UDP. Ctrl-C ends it and shows what came of it."})
public final class VmPingCommand implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--interval", paramLabel = "TIME", converter = Converters.Interval.class,
      description = "Between two requests (default 1ms).")
  private long intervalNanos = 1_000_000;

  @Option(names = "--count", paramLabel = "N", converter = Converters.Count.class,
      description = "Requests (default 1000).")
  private int count = 1000;

  @Option(names = "--card", paramLabel = "N", converter = Converters.Count.class,
      description = "The VM's N-th network card (default 1).")
  private int cardNumber = 1;

  public VmPingCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      Vm vm = session.connection().read(stub -> stub.getVm(GetVmRequest.newBuilder().setName(name).build()));
      requireCard(vm, cardNumber);
      requireThere(vm);
      AtomicBoolean shown = new AtomicBoolean();
      try (Pinger pinger = new Pinger(session.connection().another(), vm, cardNumber - 1);
          Surroundings.Registration interrupts = session.surroundings().interrupts()
              .register(() -> show(session, interrupted(pinger), shown))) {
        VmPing ping = pinger.run(intervalNanos, count);
        interrupts.close();
        show(session, ping, shown);
        if (ping.getReceived() == 0) {
          throw new Failure(ExitCode.FAILED,
              "VM %s answered none of %d requests; see 'ferry vm show %s'".formatted(name, ping.getSent(), name));
        }
        return ExitCode.DONE;
      }
    });
  }

  private static VmPing interrupted(Pinger pinger) {
    pinger.stop();
    return pinger.report();
  }

  /** Once, whoever is first: the end of the ping, or Ctrl-C. */
  private static void show(Session session, VmPing ping, AtomicBoolean shown) {
    if (shown.compareAndSet(false, true)) {
      session.output().document(ping, palette -> PingText.of(ping));
    }
  }

  /** Refuses to ping a VM that would not answer. */
  static void requireThere(Vm vm) {
    if (vm.getState() != Vm.State.RUNNING && vm.getState() != Vm.State.MIGRATING) {
      throw new Failure(ExitCode.REFUSED, "VM %s is %s; nobody would answer; %s".formatted(vm.getName(), vm.getState(),
          "'ferry vm %s %s' first".formatted(vm.getState() == Vm.State.PAUSED ? "resume" : "start", vm.getName())));
    }
  }

  /** Refuses to ping a VM that has no such network card. */
  static void requireCard(Vm vm, int number) {
    if (vm.getNicsCount() < number) {
      throw new Failure(ExitCode.REFUSED,
          vm.getNicsCount() == 0
              ? "VM %s has no network card; nothing to ping; create it with --nic MAC[@VNI]".formatted(vm.getName())
              : "VM %s has no network card %d; it has 1 to %d; see 'ferry vm show %s'".formatted(vm.getName(), number,
                  vm.getNicsCount(), vm.getName()));
    }
  }
}
