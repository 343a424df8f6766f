package dev.pageferry.agent.guest;

import dev.pageferry.agent.memory.OutOfMemoryException;

/** Builds guests that a state is to come into. */
public interface GuestBuilder {
  /**
   * A guest with all of its memory and no state.
   *
   * @throws OutOfMemoryException if the host has too little; nothing stays reserved
   */
  IncomingGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException;
}
