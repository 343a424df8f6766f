/**
 * What would become of VMs if hosts stopped: gathers what is known of hosts and VMs, has them placed, and says so. Changes nothing, and
 * starts nothing.
 */
@NullMarked
package dev.pageferry.coordinator.availability;

import org.jspecify.annotations.NullMarked;
