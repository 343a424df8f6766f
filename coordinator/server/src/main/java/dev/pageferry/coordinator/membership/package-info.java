/** Hosts come, and say every second that they are still there and which VMs they have. */
@NullMarked
package dev.pageferry.coordinator.membership;

import org.jspecify.annotations.NullMarked;
