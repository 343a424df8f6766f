package dev.pageferry.coordinator.ownership;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.proto.records.v1.VmRecord;
import java.util.Optional;

/** Which copies of VMs that hosts report are of no use any more, and may be destroyed. */
public final class StaleCopies {
  private final OwnershipLedger ledger;
  private final Reports reports;

  /** What hosts last said of the VMs that they have. */
  public interface Reports {
    /** The epoch under which a host that is up has the VM. */
    Optional<OwnershipEpoch> reported(HostId host, VmId vm);
  }

  /** What is to become of a copy. */
  public sealed interface Verdict {
    /** It is the VM, or may be yet. */
    record Keep() implements Verdict {
    }

    /**
     * The VM is another host's, or nobody's.
     *
     * @param runsElsewhere its owner has said that it has it under a later epoch; only then may disks go that went with it
     */
    record Destroy(boolean runsElsewhere) implements Verdict {
    }

    /** These records cannot have led to it: they are older than it is. */
    record Impossible(String evidence) implements Verdict {
    }
  }

  public StaleCopies(OwnershipLedger ledger, Reports reports) {
    this.ledger = ledger;
    this.reports = reports;
  }

  /** The paused copy of a VM that was committed elsewhere is kept until the VM is known to be there. */
  public Verdict judge(HostId host, VmId vm, OwnershipEpoch epoch) {
    Optional<Row> found = ledger.find(vm);
    if (found.isEmpty()) {
      return ledger.wasDeleted(vm)
          ? new Verdict.Destroy(false)
          : new Verdict.Impossible("host %s has VM %s, which is not in these records".formatted(host, vm));
    }
    VmRecord row = found.get().record();
    if (row.getEpoch() < epoch.value()) {
      // Rows change before hosts hear of it.
      return new Verdict.Impossible("host %s has VM %s under epoch %s, and its row has %d".formatted(host,
          row.getSpec().getName(), epoch, row.getEpoch()));
    }
    boolean onNoHost = row.getPhase() == VmRecord.Phase.STOPPED || row.getPhase() == VmRecord.Phase.SAVED;
    boolean isItsOwn = row.getOwnerHost().equals(host.value());
    if (row.getEpoch() == epoch.value()) {
      if (onNoHost) {
        return new Verdict.Destroy(false);
      }
      return isItsOwn
          ? new Verdict.Keep()
          : new Verdict.Impossible("host %s has VM %s under epoch %s, which the records gave to host %s".formatted(host,
              row.getSpec().getName(), epoch, row.getOwnerHost()));
    }
    boolean isWithItsOwner = reports.reported(new HostId(row.getOwnerHost()), vm)
        .filter(there -> there.value() >= row.getEpoch()).isPresent();
    if (isItsOwn || onNoHost || isWithItsOwner) {
      return new Verdict.Destroy(isWithItsOwner && !isItsOwn);
    }
    return new Verdict.Keep();
  }
}
