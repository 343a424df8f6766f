package dev.pageferry.ferry.command;

import com.google.protobuf.ByteString;
import dev.pageferry.ferry.session.Connection;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.session.Terminal;
import dev.pageferry.proto.cluster.v1.ConsoleOutput;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.UseConsoleRequest;
import dev.pageferry.proto.cluster.v1.Vm;
import java.io.PrintStream;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm console}. */
@Command(name = "console", sortOptions = false, description = "The serial console of a machine of QEMU.", footer = {"",
    "Ctrl-] leaves it. Several may watch and type at once; it goes on when the VM moves."})
public final class VmConsole implements Callable<Integer> {
  private static final int WAIT_MILLIS = 500;
  private static final Duration AGAIN = Duration.ofMillis(200);
  /** Longer than a VM is between two hosts. */
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--log", description = "Prints what is kept of it, the last MiB on the VM's present host, and ends.")
  private boolean log;

  @Option(names = {"-f", "--follow"}, description = "With --log: goes on with what is written next; Ctrl-C ends it.")
  private boolean follow;

  public VmConsole(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    if (follow && !log) {
      throw new Failure(ExitCode.USAGE, "--follow goes with --log");
    }
    return ferry.inSession(session -> log ? printLog(session) : interactive(session));
  }

  private int printLog(Session session) {
    PrintStream out = session.surroundings().out();
    Reading reading = new Reading(session, 0L);
    while (reading.next(follow ? WAIT_MILLIS : 0, out) || follow) {
      if (reading.isOver()) {
        break;
      }
    }
    return ExitCode.DONE;
  }

  private int interactive(Session session) {
    // A VM without a console is refused before the terminal is changed.
    Reading reading = new Reading(session, null);
    boolean _ = reading.next(0, session.surroundings().out());
    try (Terminal terminal = Terminal.raw(); Connection typing = session.connection().another()) {
      session.output().message("Console of VM %s. Ctrl-] leaves it.\r".formatted(name));
      AtomicReference<@Nullable Failure> trouble = new AtomicReference<>();
      terminal.hear(typed -> type(typing, typed, trouble));
      while (!terminal.isLeft() && !reading.isOver()) {
        boolean _ = reading.next(WAIT_MILLIS, session.surroundings().out());
        Failure told = trouble.getAndSet(null);
        if (told != null) {
          session.output().message("\r\n" + told.getMessage() + "\r");
        }
      }
    }
    session.output().message("");
    return ExitCode.DONE;
  }

  private void type(Connection connection, byte[] typed, AtomicReference<@Nullable Failure> trouble) {
    try {
      ConsoleOutput _ = connection.read(stub -> stub.useConsole(
          UseConsoleRequest.newBuilder().setName(name).setTyped(ByteString.copyFrom(typed)).build()));
    } catch (Failure e) {
      // As while the VM is between two hosts.
      trouble.set(e);
    }
  }

  /** Where somebody is in a console. */
  private final class Reading {
    private final Session session;
    private @Nullable Long offset;
    private boolean hasBegun;
    private boolean over;
    /** On the ticker; 0: it goes well. */
    private long troubledSince;

    /** @param offset null: from what is written next */
    Reading(Session session, @Nullable Long offset) {
      this.session = session;
      this.offset = offset;
    }

    boolean isOver() {
      return over;
    }

    /** Prints what there is next. @return whether there was anything */
    boolean next(int waitMillis, PrintStream out) {
      UseConsoleRequest.Builder request = UseConsoleRequest.newBuilder().setName(name).setWaitMillis(waitMillis);
      if (offset != null) {
        request.setOffset(offset);
      }
      ConsoleOutput output;
      try {
        output = session.connection().read(stub -> stub.useConsole(request.build()));
      } catch (Failure e) {
        endUnlessItComesBack(e);
        return false;
      }
      hasBegun = true;
      troubledSince = 0;
      offset = output.getOffset() + output.getData().size();
      out.writeBytes(output.getData().toByteArray());
      out.flush();
      return !output.getData().isEmpty();
    }

    /** A VM that moves is on no host for a moment; one that was stopped has no console any more. */
    private void endUnlessItComesBack(Failure failure) {
      if (!hasBegun) {
        throw failure;
      }
      Vm vm = session.connection().read(stub -> stub.getVm(GetVmRequest.newBuilder().setName(name).build()));
      switch (vm.getState()) {
        case MIGRATING, UNKNOWN -> troubledSince = 0;
        case RUNNING, PAUSED -> {
          long now = session.surroundings().ticker().nanos();
          troubledSince = troubledSince == 0 ? now : troubledSince;
          if (now - troubledSince > PATIENCE.toNanos()) {
            throw failure;
          }
        }
        default -> {
          session.output().message("\r\nVM %s is %s.\r".formatted(name, vm.getState()));
          over = true;
          return;
        }
      }
      try {
        session.surroundings().pause().sleep(AGAIN);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        over = true;
      }
    }
  }
}
