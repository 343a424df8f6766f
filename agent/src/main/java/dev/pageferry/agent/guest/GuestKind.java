package dev.pageferry.agent.guest;

import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;

/** A kind of machine that this host can run. */
public interface GuestKind extends GuestBuilder {
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
  void check(GuestSpec spec) throws IOException;
}
