package dev.pageferry.agent.rpc;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestConsole;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.PowerDownVmRequest;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VerifyVmResult;
import dev.pageferry.proto.agent.v1.VerifyVmUpdate;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;

/** What operators do with a guest's machine: its power button, its console, its contents. */
final class GuestControls {
  private static final long LONGEST_WAIT_MILLIS = 30_000;
  private static final int MOST_TYPED_BYTES = 4096;

  private GuestControls() {
  }

  /** Presses the button, and waits; the state tells whether the guest is off. */
  static VmStatus powerDown(Hosted hosted, PowerDownVmRequest request) throws IOException, InterruptedException {
    boolean _ = hosted.vm().powerDown(Duration.ofMillis(request.getWaitMillis()));
    return StatusMessages.statusWithSpec(hosted);
  }

  static DigestVmResponse digest(Guest guest) throws IOException, InterruptedException {
    VmDigest digest = guest.digest();
    return DigestVmResponse.newBuilder().setSteps(digest.steps()).setMemoryDigest(digest.memoryDigest())
        .setRegistersDigest(digest.registersDigest()).build();
  }

  /**
   * Compares the guest with its replayed twin; its last word has the result.
   *
   * @throws IllegalStateException if it cannot be replayed
   */
  static VerifyVmUpdate verify(Guest guest, Consumer<VerifyVmUpdate> updates) throws Exception {
    Replayable replayable = guest.replayable().orElseThrow(() -> new IllegalStateException(
        "VM %s is a real machine, which cannot be replayed; 'ferry vm digest' and 'ferry migrate live --verify-ram' hash its RAM"
            .formatted(
                guest.spec().name())));
    Replayable.Result result = replayable.verify((steps, total) -> updates.accept(VerifyVmUpdate
        .newBuilder().setReplayedSteps(steps).setTotalSteps(total).build()));
    VerifyVmResult.Builder message = VerifyVmResult.newBuilder().setSteps(result.steps())
        .setIdentical(result.identical());
    if (result.networkPages() > 0) {
      message.setNetworkPages(result.networkPages());
    }
    result.firstDifference().ifPresent(message::setFirstDifference);
    return VerifyVmUpdate.newBuilder().setReplayedSteps(result.steps()).setTotalSteps(result.steps())
        .setResult(message).build();
  }

  /** @throws IllegalStateException if the guest has no console */
  static ConsoleOutput useConsole(Guest guest, UseConsoleRequest request) throws IOException, InterruptedException {
    GuestConsole console = guest.console().orElseThrow(() -> new IllegalStateException(
        "VM %s is a built-in machine, which has no console".formatted(guest.spec().name())));
    if (request.getTyped().size() > MOST_TYPED_BYTES) {
      throw new IllegalArgumentException("%d bytes are more than the %d that can be typed at once".formatted(
          request.getTyped().size(), MOST_TYPED_BYTES));
    }
    long offset = request.hasOffset() ? request.getOffset() : console.written();
    if (!request.getTyped().isEmpty()) {
      console.write(request.getTyped().toByteArray());
    }
    GuestConsole.Output output = console.read(offset,
        Duration.ofMillis(Math.clamp(request.getWaitMillis(), 0, LONGEST_WAIT_MILLIS)));
    return ConsoleOutput.newBuilder().setOffset(output.offset()).setData(ByteString.copyFrom(output.data())).build();
  }
}
