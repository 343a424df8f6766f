package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Times;
import dev.pageferry.proto.cluster.v1.ActivateHostRequest;
import dev.pageferry.proto.cluster.v1.BeginRollingRequest;
import dev.pageferry.proto.cluster.v1.DrainHostRequest;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListPlansRequest;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc.MaintenanceBlockingStub;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.NoteRollingRequest;
import dev.pageferry.proto.cluster.v1.Rolling;
import dev.pageferry.proto.cluster.v1.RollingHost;
import dev.pageferry.proto.cluster.v1.RollingHost.Phase;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Each host in turn is drained, something is done with it, and it is activated. The coordinator remembers how far it is, so that whoever
 * repeats it goes on where it stopped, and that this command drives it.
 */
final class RollingDrain {
  private static final Duration RETURN = Duration.ofMinutes(15);
  private static final Duration INTERVAL = Duration.ofSeconds(1);
  private static final Duration SIGN_OF_LIFE = Duration.ofSeconds(10);
  /** With a coordinator that is away. */
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final Session session;
  private final boolean quick;
  private final String command;
  private final String runner;
  private final List<String> done = new ArrayList<>();
  private long signNanos;

  /** @param command empty: nothing is done */
  RollingDrain(Session session, boolean quick, String command) {
    this.session = session;
    this.quick = quick;
    this.command = command;
    this.runner = session.surroundings().newIds().get();
  }

  int run(List<String> named, boolean anew) {
    BeginRollingRequest request = BeginRollingRequest.newBuilder().addAllHosts(named).setCommand(command)
        .setRunner(runner).setAnew(anew).setQuick(quick).build();
    Rolling rolling = change(stub -> stub.beginRolling(request));
    List<String> before = rolling.getHostsList().stream().filter(each -> each.getPhase() != Phase.AHEAD)
        .map(each -> "%s %s".formatted(each.getHost(), each.getPhase())).toList();
    if (!before.isEmpty()) {
      session.output().message("going on with what began at %s: %s"
          .formatted(Times.text(rolling.getBegunAt().getSeconds() * 1000), String.join(", ", before)));
    }
    try {
      rolling.getHostsList().forEach(this::take);
    } catch (Failure e) {
      leave();
      throw e;
    }
    Rolling _ = note(NoteRollingRequest.newBuilder().setEnd(true));
    session.output().message("done: %s".formatted(done.isEmpty() ? "nothing" : String.join(", ", done)));
    return ExitCode.DONE;
  }

  /** Whoever repeats it need not wait until this one is thought to have ended. */
  private void leave() {
    try {
      Rolling _ = note(NoteRollingRequest.newBuilder().setLeft(true));
    } catch (Failure e) {
      session.output().detail("it is not noted that this command ends: " + e.getMessage());
    }
  }

  private void take(RollingHost host) {
    String name = host.getHost();
    Phase phase = host.getPhase();
    if (phase == Phase.AHEAD && drainOf(name).isPresent()) {
      session.output().message("host %s is drained already, and is left so".formatted(name));
      note(name, Phase.SKIPPED);
      return;
    }
    if (phase == Phase.AHEAD) {
      note(name, Phase.DRAINING);
    }
    if (phase == Phase.AHEAD || phase == Phase.DRAINING) {
      drain(name);
      note(name, Phase.COMMAND_DONE);
    }
    if (phase == Phase.AHEAD || phase == Phase.DRAINING || phase == Phase.COMMAND_DONE) {
      awaitHeard(name);
      session.output().message("host %s: activating".formatted(name));
      MovePlan begun = change(stub -> stub.activateHost(ActivateHostRequest.newBuilder().setHost(name).build()));
      MovePlan end = new PlanWatch(session, this::sign).follow(begun);
      note(name, Phase.DONE);
      done.add(name);
      if (end.getState() != MovePlan.State.COMPLETED) {
        throw new Failure(ExitCode.FAILED,
            "host %s is in service, and not all its VMs came back: %s; 'ferry host activate %s' tries once more; repeat this command to go on with the next host"
                .formatted(name, end.getReason(), name));
      }
    }
  }

  /** By its plan: one that is switched off has no other state than DOWN. */
  private Optional<MovePlan> drainOf(String host) {
    return session.connection().patiently(stub -> Connection.maintenance(stub)
        .listPlans(ListPlansRequest.getDefaultInstance())).getPlansList().stream()
        .filter(each -> each.getHost().equals(host) && each.getKind() == MovePlan.Kind.DRAIN).findFirst();
  }

  private Host.State state(String host) {
    return session.connection().read(stub -> stub.getHost(GetHostRequest.newBuilder().setId(host).build())).getState();
  }

  private void drain(String host) {
    session.output().message("host %s: draining".formatted(host));
    DrainHostRequest request = DrainHostRequest.newBuilder().setHost(host).setQuick(quick).build();
    MovePlan end = new PlanWatch(session, this::sign).follow(change(stub -> stub.drainHost(request)));
    if (end.getState() != MovePlan.State.COMPLETED) {
      throw new Failure(ExitCode.FAILED, "host %s: %s; see 'ferry plan show %s', and repeat this command to go on"
          .formatted(host, end.getReason(), end.getId()));
    }
    if (!command.isEmpty()) {
      note(host, Phase.DRAINING);
      if (drainOf(host).filter(each -> each.getState() == MovePlan.State.COMPLETED).isEmpty()) {
        throw new Failure(ExitCode.FAILED,
            "host %s is not empty any more, or was activated meanwhile; repeat this command to go on".formatted(host));
      }
      runCommand(host);
    }
  }

  /** One that may be carried out though its answer was lost; asked again, it is not done twice. */
  private <T> T change(Function<MaintenanceBlockingStub, T> rpc) {
    Change change = new Change(session.surroundings().newIds().get());
    long end = session.surroundings().ticker().nanos() + PATIENCE.toNanos();
    while (true) {
      try {
        return session.connection().changePatiently(change, stub -> rpc.apply(Connection.maintenance(stub)));
      } catch (Failure e) {
        boolean isLost = e.exitCode() == ExitCode.UNREACHABLE || e.exitCode() == ExitCode.IN_DOUBT;
        if (!isLost || session.surroundings().ticker().nanos() - end >= 0) {
          throw e;
        }
        session.output().detail("once more: " + e.getMessage());
        pause(INTERVAL);
        session.connection().reconnect();
      }
    }
  }

  private void pause(Duration time) {
    try {
      session.surroundings().pause().sleep(time);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted; repeat this command to go on", e);
    }
  }

  private void note(String host, Phase phase) {
    Rolling _ = note(NoteRollingRequest.newBuilder().setHost(host).setPhase(phase));
  }

  private Rolling note(NoteRollingRequest.Builder request) {
    signNanos = session.surroundings().ticker().nanos();
    return change(stub -> stub.noteRolling(request.setRunner(runner).build()));
  }

  /** That this command lives. */
  private void sign() {
    if (session.surroundings().ticker().nanos() - signNanos >= SIGN_OF_LIFE.toNanos()) {
      Rolling _ = note(NoteRollingRequest.newBuilder());
    }
  }

  private void runCommand(String host) {
    session.output().message("host %s: %s".formatted(host, command));
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", command).inheritIO();
    builder.environment().put("FERRY_HOST", host);
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "sh cannot be run: %s; host %s is still drained".formatted(e.getMessage(),
          host), e);
    }
    try {
      while (!process.waitFor(SIGN_OF_LIFE.toMillis(), TimeUnit.MILLISECONDS)) {
        sign();
      }
      if (process.exitValue() != 0) {
        throw new Failure(ExitCode.FAILED,
            "the command ended with %d for host %s, which is still drained; repeat this to go on with it"
                .formatted(process.exitValue(), host));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted; host %s is still drained".formatted(host), e);
    } finally {
      // Another runner may have the host by now.
      process.descendants().forEach(ProcessHandle::destroy);
      process.destroy();
    }
  }

  private void awaitHeard(String host) {
    long end = session.surroundings().ticker().nanos() + RETURN.toNanos();
    while (state(host) == Host.State.DOWN) {
      if (session.surroundings().ticker().nanos() - end >= 0) {
        throw new Failure(ExitCode.FAILED,
            "host %s is still DOWN after %d min, and drained; repeat this once it runs".formatted(host,
                RETURN.toMinutes()));
      }
      sign();
      pause(INTERVAL);
    }
  }
}
