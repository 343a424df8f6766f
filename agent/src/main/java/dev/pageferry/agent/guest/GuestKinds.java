package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;

/** All kinds of machines that a host can run, as one. */
public final class GuestKinds implements GuestKind {
  private final GuestKind builtin;
  private final GuestKind qemu;

  public GuestKinds(GuestKind builtin, GuestKind qemu) {
    this.builtin = builtin;
    this.qemu = qemu;
  }

  private GuestKind of(VmSpec message) {
    return message.hasQemu() ? qemu : builtin;
  }

  @Override
  public ResolvedSpec resolve(VmSpec message) throws IOException, InterruptedException {
    return of(message).resolve(message);
  }

  @Override
  public GuestSpec spec(VmSpec message) {
    return of(message).spec(message);
  }

  @Override
  public void check(GuestSpec spec) throws IOException, InterruptedException {
    of(spec.toMessage()).check(spec);
  }

  @Override
  public void checkArrival(GuestSpec spec) throws IOException, InterruptedException {
    of(spec.toMessage()).checkArrival(spec);
  }

  @Override
  public IncomingGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    return of(spec.toMessage()).skeleton(spec);
  }
}
