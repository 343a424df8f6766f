/**
 * Where VMs would go: a pure function of what is known of hosts and VMs, with its reasons. It knows neither records nor agents nor
 * clocks, and is given all that counts.
 */
@NullMarked
package dev.pageferry.coordinator.placement;

import org.jspecify.annotations.NullMarked;
