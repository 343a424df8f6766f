package dev.pageferry.coordinator.migration;

import dev.pageferry.proto.agent.v1.OutgoingOptions;
import dev.pageferry.proto.agent.v1.QuickOptions;
import java.util.Optional;

/**
 * How a VM is to be moved.
 *
 * @param quick how its state is packed into a file on shared storage; empty: it is moved live
 * @param sharedNothing whether its disks are copied too
 */
record MigrationOrder(OutgoingOptions options, Optional<QuickOptions> quick, boolean sharedNothing) {
}
