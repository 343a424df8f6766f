/**
 * What becomes of VMs when hosts stop: gathers what is known of hosts and VMs, and has them placed. {@code Failover} has them started there,
 * once their owners can have no effects any more ({@code Fencing}).
 */
@NullMarked
package dev.pageferry.coordinator.availability;

import org.jspecify.annotations.NullMarked;
