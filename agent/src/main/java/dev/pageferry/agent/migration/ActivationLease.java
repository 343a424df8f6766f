package dev.pageferry.agent.migration;

/**
 * This host's permission to start the vCPUs of VMs that it received: granted with every heartbeat that the coordinator answers, for a time counted
 * from when the heartbeat was sent, on a clock that runs on while the machine is suspended. A host that was frozen with
 * GO in its socket wakes up without it.
 */
public interface ActivationLease {
  /** Waits until the lease is live. */
  void awaitLive() throws InterruptedException;
}
