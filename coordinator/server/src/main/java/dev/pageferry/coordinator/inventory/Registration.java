package dev.pageferry.coordinator.inventory;

import java.time.Duration;
import java.util.List;

/** What becomes of an agent that wants to be a host. */
public sealed interface Registration {
  /** It is the host from now on. */
  record Accepted() implements Registration {
  }

  /** The host's name belongs to an agent that was heard of just now. */
  record Taken() implements Registration {
  }

  /**
   * The agent that has the name is silent, and what it was permitted may still last.
   *
   * @param atLeast until it cannot any more, if it stays silent
   */
  record Wait(Duration atLeast) implements Registration {
  }

  /**
   * Only an operator can know that the agent that has the name, at another address, is off.
   *
   * @param guests what it may still run, if it is only cut off
   */
  record Unconfirmed(List<String> guests) implements Registration {
    public Unconfirmed {
      guests = List.copyOf(guests);
    }
  }

  /** Another registration of this host is being written down; to be tried again. */
  record Busy() implements Registration {
  }

  /** It does not belong here, or no more fit: it asks on, and what it runs goes on. @param reason what an operator is to do */
  record Refused(String reason) implements Registration {
  }

  /** Another incarnation has taken the place of this one, or an operator has called it dead: for good. */
  record Superseded() implements Registration {
  }
}
