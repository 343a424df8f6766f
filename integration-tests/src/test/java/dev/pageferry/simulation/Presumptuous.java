package dev.pageferry.simulation;

import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;

/** A planted fault: who asks the row and hears nothing takes that for the answer that suits it. */
final class Presumptuous implements OwnershipClient {
  private final OwnershipClient rows;
  private final Planted fault;
  private final long epoch;

  /** @param epoch under which the guest runs that is to be moved */
  Presumptuous(OwnershipClient rows, Planted fault, long epoch) {
    this.rows = rows;
    this.fault = fault;
    this.epoch = epoch;
  }

  @Override
  public Decision commit(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    try {
      return rows.commit(vm, migration);
    } catch (UnreachableException e) {
      if (fault == Planted.SILENCE_IS_A_NO) {
        return new Decision(Outcome.ABORTED, "", epoch);
      }
      throw e;
    }
  }

  @Override
  public Decision resolve(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    return rows.resolve(vm, migration);
  }

  @Override
  public Decision resolveAtDestination(VmId vm, MigrationId migration)
      throws NoAnswerException, InterruptedException {
    try {
      return rows.resolveAtDestination(vm, migration);
    } catch (UnreachableException e) {
      if (fault == Planted.SILENCE_IS_A_YES) {
        return new Decision(Outcome.COMMITTED, "", epoch + 1);
      }
      throw e;
    }
  }

  @Override
  public Decision noteSaved(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    try {
      return rows.noteSaved(vm, migration);
    } catch (UnreachableException e) {
      if (fault == Planted.SILENCE_IS_HEARD) {
        return new Decision(Outcome.PENDING, "", epoch);
      }
      throw e;
    }
  }

  @Override
  public Decision giveBack(VmId vm, MigrationId migration) throws NoAnswerException, InterruptedException {
    return rows.giveBack(vm, migration);
  }

  @Override
  public Decision started(VmId vm, OwnershipEpoch started) throws NoAnswerException, InterruptedException {
    return rows.started(vm, started);
  }

  @Override
  public Promise<Duration> probe(Duration atMost) {
    return rows.probe(atMost);
  }
}
