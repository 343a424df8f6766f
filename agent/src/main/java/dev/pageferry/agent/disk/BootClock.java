package dev.pageferry.agent.disk;

/** Nanoseconds on a clock that runs on while the machine is suspended: what leases are counted on. Tests move it. */
@FunctionalInterface
public interface BootClock {
  long nanos();
}
