package dev.pageferry.agent.guest;

/** Whether this host may run guests right now. Asked by every vCPU before every few hundred steps. */
@FunctionalInterface
public interface RunPermit {
  /** For hosts without shared storage, whose guests have no disks. */
  RunPermit ALWAYS = () -> true;

  boolean isLive();
}
