package dev.pageferry.agent.guest;

import java.util.OptionalDouble;

/**
 * How a VM's network cards came to this host.
 *
 * @param firstFrameSeconds from the moment that the VM's address was here until the first frame for it reached it
 * @param reachedBy switches of other hosts that have proved that frames for the VM come here from them
 */
public record NetworkArrival(OptionalDouble firstFrameSeconds, int reachedBy) {
}
