package dev.pageferry.agent.rpc;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.GuestConsole;
import dev.pageferry.agent.guest.HostedGuests.Hosted;
import dev.pageferry.agent.guest.VmDigest;
import dev.pageferry.proto.agent.v1.ConsoleOutput;
import dev.pageferry.proto.agent.v1.DigestVmResponse;
import dev.pageferry.proto.agent.v1.PowerDownVmRequest;
import dev.pageferry.proto.agent.v1.UseConsoleRequest;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.io.IOException;
import java.time.Duration;

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
