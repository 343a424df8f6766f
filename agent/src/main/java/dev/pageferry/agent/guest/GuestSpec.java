package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskDescription;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.util.List;

/**
 * The configuration of a guest, as far as it is the same for all machines. The rest only the {@link GuestKind} understands that
 * made it of a message.
 */
public interface GuestSpec {
  VmId id();

  String name();

  /** RAM, a positive multiple of the page size. */
  long memoryBytes();

  /** In the order in which the guest sees them. */
  List<DiskDescription> disks();

  List<NetworkCard> nics();

  default long pageCount() {
    return PageSize.pagesFor(memoryBytes());
  }

  /** Whether its machine, while it starts and waits for a state, leaves its RAM alone, so that pages may come meanwhile. */
  default boolean startsBesidePages() {
    return true;
  }

  /** Whether its machine is a process that an agent which ends can leave to the next one of its host. */
  default boolean outlivesAgents() {
    return false;
  }

  /** All of it: what the coordinator keeps, and what two hosts compare before a move. */
  VmSpec toMessage();
}
