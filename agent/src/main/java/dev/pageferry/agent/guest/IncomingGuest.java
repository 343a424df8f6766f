package dev.pageferry.agent.guest;

import dev.pageferry.agent.disk.DiskClaim;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import java.io.IOException;
import java.util.Set;

/** A guest that was built on this host without a state, which is to come: by booting it, or from elsewhere. */
public interface IncomingGuest extends Guest {
  /** Where whoever fills {@link #ram()} from outside puts the pages that it wrote. Any thread may add. */
  AtomicPageBitmap written();

  /**
   * A state is to come from elsewhere: does now what can be done ahead of it, so that a wrong machine is refused early. Where
   * {@link GuestSpec#startsBesidePages} says so, pages may be put into {@link #ram()} meanwhile.
   *
   * @throws IOException if the machine cannot be made here
   */
  default void expectState() throws IOException, InterruptedException {
  }

  /**
   * Takes a part of the state that is to come, while the guest runs elsewhere and its pages are still on their way.
   *
   * @throws IllegalArgumentException if it is not a part of this guest's state
   * @throws IOException if the machine does not take it
   */
  default void takeAhead(GuestState part) throws IOException, InterruptedException {
    throw new IllegalArgumentException("a guest of this kind has no part of its state ahead of the rest");
  }

  /**
   * Gives the guest a state, or the rest of it, in place of any that it has and under which it has not run; its pages are in {@link #ram()}. It
   * stays paused for {@link PauseReason#MIGRATION}, until {@link #runOn} says that it may run here. Once this returns the guest
   * only waits to be let run.
   *
   * @param reasons for which it stays paused besides
   * @throws IllegalArgumentException if the state is not one of this guest's
   * @throws IOException if the machine does not take it
   */
  void load(GuestState state, Set<PauseReason> reasons) throws IOException, InterruptedException;

  /**
   * Fills RAM as it is when the guest is switched on, opens its disks and gives it its first state; then it is as after
   * {@link #load}.
   *
   * @param claim on the disks
   * @param reasons for which it stays paused besides
   * @throws IOException if what it boots from cannot be read or a disk cannot be opened
   * @throws IllegalStateException if it was closed meanwhile
   */
  void boot(DiskClaim claim, Set<PauseReason> reasons) throws IOException, InterruptedException;

  /**
   * Whether the guest, which has its state and its disks, can be let run; asked while it may still be another host's to run.
   *
   * @throws IOException if it cannot; then nothing of it runs here, nor ever will
   */
  default void requireReady() throws IOException, InterruptedException {
  }

  /**
   * Waits until the guest has shown since the last resume that it runs.
   *
   * @return when that was, on the guest's ticker, or 0 if it did not happen in time
   */
  long awaitFirstSign(long waitMillis) throws InterruptedException;
}
