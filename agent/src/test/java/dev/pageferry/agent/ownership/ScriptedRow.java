package dev.pageferry.agent.ownership;

import dev.pageferry.common.concurrent.Promise;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A row that answers as a test wants it to, and counts questions. */
public final class ScriptedRow implements OwnershipClient {
  private int resolveCalls;
  private int giveBackCalls;
  private int startedCalls;
  private int silentResolves;
  private boolean denies;
  private @Nullable Decision resolved;
  private @Nullable Decision givenBack;
  private @Nullable Decision started;

  public synchronized void silentResolves(int count) {
    silentResolves = count;
  }

  public synchronized void deny() {
    denies = true;
  }

  /** From now on. */
  public synchronized void resolved(Decision answer) {
    denies = false;
    resolved = answer;
  }

  public synchronized void givenBack(Decision answer) {
    givenBack = answer;
  }

  public synchronized void started(Decision answer) {
    started = answer;
  }

  public synchronized int resolveCalls() {
    return resolveCalls;
  }

  public synchronized int giveBackCalls() {
    return giveBackCalls;
  }

  public synchronized int startedCalls() {
    return startedCalls;
  }

  @Override
  public synchronized Decision commit(VmId vm, MigrationId migration) throws NoAnswerException {
    return answer(resolved);
  }

  @Override
  public synchronized Decision resolve(VmId vm, MigrationId migration) throws NoAnswerException {
    resolveCalls++;
    if (denies) {
      throw new DeniedException("by the test", new IllegalStateException("denied"));
    }
    if (silentResolves > 0) {
      silentResolves--;
      throw silence();
    }
    return answer(resolved);
  }

  @Override
  public synchronized Decision noteSaved(VmId vm, MigrationId migration) throws NoAnswerException {
    return answer(resolved);
  }

  @Override
  public synchronized Decision giveBack(VmId vm, MigrationId migration) throws NoAnswerException {
    giveBackCalls++;
    return answer(givenBack);
  }

  @Override
  public synchronized Decision started(VmId vm, OwnershipEpoch epoch) throws NoAnswerException {
    startedCalls++;
    return answer(started);
  }

  private static Decision answer(@Nullable Decision scripted) throws NoAnswerException {
    if (scripted == null) {
      throw silence();
    }
    return scripted;
  }

  private static UnreachableException silence() {
    return new UnreachableException("no answer", new IllegalStateException("by the test"));
  }

  @Override
  public Promise<Duration> probe(Duration atMost) {
    Promise<Duration> answer = Scheduler.SYSTEM.newPromise();
    answer.fail(silence());
    return answer;
  }
}
