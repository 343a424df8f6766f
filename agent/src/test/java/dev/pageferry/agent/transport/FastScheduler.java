package dev.pageferry.agent.transport;

import dev.pageferry.common.concurrent.ForwardingScheduler;

/** A clock that is fast, so that what is measured seems to take long; waits are no shorter. */
final class FastScheduler extends ForwardingScheduler {
  private final int factor;

  FastScheduler(int factor) {
    this.factor = factor;
  }

  @Override
  public long nanos() {
    return factor * super.nanos();
  }
}
