package dev.pageferry.agent.guest;

import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;

/** A kind of machine that this host can run. */
public interface GuestKind extends GuestBuilder {
  /**
   * Completes the message for a guest that is to be created here: what it leaves to the host is chosen.
   *
   * @throws IllegalArgumentException naming the value that no guest can have
   * @throws IOException if this host does not have what is asked for
   */
  default ResolvedSpec resolve(VmSpec message) throws IOException, InterruptedException {
    return new ResolvedSpec(message, "");
  }

  /**
   * A specification from its message.
   *
   * @throws IllegalArgumentException naming the value that no guest can have
   */
  GuestSpec spec(VmSpec message);

  /**
   * Whether a guest can be booted here.
   *
   * @throws IOException if what it boots from, or one of its disks, is not here
   */
  void check(GuestSpec spec) throws IOException, InterruptedException;

  /**
   * Whether a guest can come here with a state, as far as its disks and free memory are not concerned.
   *
   * @throws IOException if it cannot be moved, or this host lacks something
   */
  default void checkArrival(GuestSpec spec) throws IOException, InterruptedException {
  }
}
