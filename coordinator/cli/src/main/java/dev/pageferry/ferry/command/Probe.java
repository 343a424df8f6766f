package dev.pageferry.ferry.command;

import dev.pageferry.ferry.ping.Pinger;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmPing;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Pings a VM while it moves. */
final class Probe implements MigrationWatch.Companion, AutoCloseable {
  private static final long INTERVAL_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
  /** How it is before the move is seen, too. */
  private static final long BEFOREHAND_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
  /** What comes back to normal behind a move is seen, too. */
  private static final long AFTERWARDS_NANOS = TimeUnit.MILLISECONDS.toNanos(300);

  private final Pinger pinger;
  private final Thread thread;

  /** @throws Failure if the VM does not answer before it moves */
  Probe(Session session, String name) {
    Vm vm = session.connection().read(stub -> stub.getVm(GetVmRequest.newBuilder().setName(name).build()));
    VmPingCommand.requireCard(vm, 1);
    VmPingCommand.requireThere(vm);
    try {
      pinger = new Pinger(session.connection().another(), vm, 0);
    } catch (Failure e) {
      throw new Failure(e.exitCode(), "%s; nothing was moved, leave out --probe to move it all the same".formatted(
          e.getMessage()), e);
    }
    thread = Thread.ofPlatform().daemon().name("probe").start(() -> {
      VmPing _ = pinger.run(INTERVAL_NANOS, 0);
    });
    LockSupport.parkNanos(BEFOREHAND_NANOS);
  }

  @Override
  public String line() {
    return pinger.line();
  }

  @Override
  public boolean addsToTheEnd() {
    return true;
  }

  @Override
  public Migration finish(Migration end) {
    LockSupport.parkNanos(AFTERWARDS_NANOS);
    pinger.stop();
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return end.toBuilder().setProbe(pinger.report()).build();
  }

  @Override
  public void close() {
    pinger.close();
  }
}
