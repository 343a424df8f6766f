package dev.pageferry.coordinator.inventory;

import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * What a host says that it has.
 *
 * @param doubts copies that it keeps paused because it does not know whose they are
 * @param coming VMs that are being received, restored or built there, until they are among the others
 */
public record HostContent(Collection<VmStatus> vms, List<InDoubt> doubts, Set<VmId> coming) {
}
