package dev.pageferry.agent.migration.source;

import dev.pageferry.agent.guest.Guest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.agent.savedstate.SavedStateWriter;
import dev.pageferry.agent.savedstate.SavedStateWriter.Packing;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.identity.OwnershipEpoch;
import java.io.IOException;
import java.util.Optional;
import java.util.function.LongConsumer;

/** Writes a paused guest's memory and registers to a file on shared storage. */
final class StateSaver {
  private final Optional<SavedStates> states;

  /** @param states none on hosts without shared storage */
  StateSaver(Optional<SavedStates> states) {
    this.states = states;
  }

  /**
   * Saves the guest.
   *
   * @param progress told the pages looked at, by any thread
   * @throws IOException with the reason; nothing is left of the file then
   */
  SavedStateWriter.Result save(Guest guest, OwnershipEpoch epoch, String fileName, Packing packing,
      LongConsumer progress) throws IOException, InterruptedException {
    SavedStates storage = states.orElseThrow(
        () -> new IOException("this host has no shared storage; start its agent with --storage"));
    PageBitmap pages = new PageBitmap(guest.ram().pageCount());
    guest.addWritten(pages);
    byte[] header = StateMessages
        .toHeader(guest.spec(), epoch, guest.state(), guest.isPausedFor(PauseReason.OPERATOR)).toByteArray();
    guest.ram().borrow();
    try {
      return SavedStateWriter.write(storage.path(fileName), header, guest.ram(), pages, packing, progress);
    } finally {
      guest.ram().giveBack();
    }
  }

  /** Deletes the file of a save that came to nothing; one that stays behind is not valid. */
  void discard(String fileName, MigrationLog log) {
    try {
      if (states.isPresent()) {
        states.get().delete(fileName);
      }
    } catch (IOException e) {
      log.warn("the file of a failed save was not deleted: {}", IoFailure.sentence(e));
    }
  }
}
