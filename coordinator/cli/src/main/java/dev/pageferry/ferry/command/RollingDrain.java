package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Times;
import dev.pageferry.proto.cluster.v1.ActivateHostRequest;
import dev.pageferry.proto.cluster.v1.DrainHostRequest;
import dev.pageferry.proto.cluster.v1.GetHostRequest;
import dev.pageferry.proto.cluster.v1.Host;
import dev.pageferry.proto.cluster.v1.ListHostsRequest;
import dev.pageferry.proto.cluster.v1.MaintenanceGrpc;
import dev.pageferry.proto.cluster.v1.MovePlan;
import dev.pageferry.proto.cluster.v1.NoteRollingRequest;
import dev.pageferry.proto.cluster.v1.Rolling;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Each host in turn is drained, something is done with it, and it is activated. The coordinator remembers which are done, and each host's
 * drain, so that whoever repeats it goes on where it stopped.
 */
final class RollingDrain {
  private static final Duration RETURN = Duration.ofMinutes(15);
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  private final Session session;
  private final boolean quick;
  private final @Nullable String then;

  RollingDrain(Session session, boolean quick, @Nullable String then) {
    this.session = session;
    this.quick = quick;
    this.then = then;
  }

  int run(List<String> named) {
    Rolling known = note("", false);
    List<String> hosts = named.isEmpty() ? all() : named;
    List<String> left = new ArrayList<>(hosts);
    left.removeAll(known.getDoneList());
    if (left.size() < hosts.size()) {
      session.output().message("going on with what began at %s: %s done"
          .formatted(Times.text(known.getBegunAt().getSeconds() * 1000), String.join(", ", known.getDoneList())));
    }
    for (String each : left) {
      session.output().message("host %s: draining".formatted(each));
      follow(each, stub -> stub.drainHost(DrainHostRequest.newBuilder().setHost(each).setQuick(quick).build()));
      if (then != null) {
        run(each, then);
      }
      awaitHeard(each);
      session.output().message("host %s: activating".formatted(each));
      follow(each, stub -> stub.activateHost(ActivateHostRequest.newBuilder().setHost(each).build()));
      Rolling _ = note(each, false);
    }
    Rolling _ = note("", true);
    session.output().message("done: %s".formatted(String.join(", ", hosts)));
    return ExitCode.DONE;
  }

  private Rolling note(String done, boolean end) {
    NoteRollingRequest request = NoteRollingRequest.newBuilder().setDone(done).setEnd(end).build();
    return session.connection().patiently(
        stub -> MaintenanceGrpc.newBlockingStub(stub.getChannel()).noteRolling(request));
  }

  private List<String> all() {
    return session.connection().read(stub -> stub.listHosts(ListHostsRequest.getDefaultInstance())).getHostsList()
        .stream().map(Host::getId).toList();
  }

  private void follow(String host,
      Function<MaintenanceGrpc.MaintenanceBlockingStub, MovePlan> begin) {
    MovePlan end = new PlanWatch(session).follow(PlanWatch.ask(session, begin));
    if (end.getState() != MovePlan.State.COMPLETED) {
      throw new Failure(ExitCode.FAILED, "host %s: %s; see 'ferry plan show %s', and repeat this command to go on"
          .formatted(host, end.getReason(), end.getId()));
    }
  }

  private void run(String host, String command) {
    session.output().message("host %s: %s".formatted(host, command));
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", command)
        .redirectInput(ProcessBuilder.Redirect.INHERIT).redirectError(ProcessBuilder.Redirect.INHERIT)
        .redirectOutput(ProcessBuilder.Redirect.INHERIT);
    builder.environment().put("FERRY_HOST", host);
    int code;
    try {
      code = builder.start().waitFor();
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "sh cannot be run: %s; host %s is still drained".formatted(e.getMessage(),
          host), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted; host %s is still drained".formatted(host), e);
    }
    if (code != 0) {
      throw new Failure(ExitCode.FAILED,
          "the command ended with %d for host %s, which is still drained; repeat this to go on with it".formatted(code,
              host));
    }
  }

  private void awaitHeard(String host) {
    GetHostRequest request = GetHostRequest.newBuilder().setId(host).build();
    long end = session.surroundings().ticker().nanos() + RETURN.toNanos();
    while (session.connection().read(stub -> stub.getHost(request)).getState() == Host.State.DOWN) {
      if (session.surroundings().ticker().nanos() - end >= 0) {
        throw new Failure(ExitCode.FAILED,
            "host %s is still DOWN after %d min, and drained; repeat this once it runs".formatted(host,
                RETURN.toMinutes()));
      }
      try {
        session.surroundings().pause().sleep(INTERVAL);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new Failure(ExitCode.FAILED, "interrupted; host %s is still drained".formatted(host), e);
      }
    }
  }
}
