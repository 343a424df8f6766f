package dev.pageferry.agent.guest;

import dev.pageferry.common.identity.Incarnation;
import java.io.IOException;
import java.util.List;

/** A guest that an agent of this host left running when it ended: it is this one's once the row says so. */
public interface LeftGuest {
  /** It holds its memory, and is as one that was built and has no state yet. */
  IncomingGuest guest();

  /** Incarnations of this host that have had it, one after the other. */
  List<Incarnation> agents();

  /** Under which this host had it last; 0: it was on its way. */
  long epoch();

  /**
   * It is this host's, and its disks are open: it has them, its network cards and its console again. It stays as it is, running or
   * not, until it is {@linkplain Guest#runOn let run}.
   *
   * @throws IOException if that fails
   */
  void attach() throws IOException, InterruptedException;

  /** It is this host's, and cannot be had: it is ended, and its condition tells why. */
  void fail(String reason);

  /** It is not this host's. Nothing of it is left once this returns. */
  void end();

  /** Nothing is known of whose it is: it is left to the next agent. */
  void leave();
}
