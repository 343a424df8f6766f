package dev.pageferry.agent.migration.destination;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.StateMessages;
import dev.pageferry.agent.savedstate.SavedStateReader;
import dev.pageferry.agent.savedstate.SavedStates;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.proto.migration.v1.SavedStateHeader;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;
import java.util.function.LongConsumer;

/** Reads a guest's memory and registers back from a file on shared storage. */
final class StateRestorer {
  private final DestinationMigration.Environment environment;

  StateRestorer(DestinationMigration.Environment environment) {
    this.environment = environment;
  }

  /**
   * Fills a skeleton; it stays paused, and for the operator too if it was so when saved.
   *
   * @param progress told the bytes read, by any thread
   * @throws IOException if the file is damaged, of another VM, or older than what is on the VM's disks
   */
  void restore(IncomingGuest vm, String fileName, LongConsumer progress) throws IOException, InterruptedException {
    try (SavedStateReader reader = SavedStateReader.open(states().path(fileName))) {
      SavedStateHeader header = header(reader, fileName);
      if (!header.getSpec().equals(vm.spec().toMessage())) {
        throw new IOException("saved state %s is of VM %s (%s) as it was configured then, not of VM %s (%s)".formatted(
            fileName, header.getSpec().getName(), header.getSpec().getId(), vm.spec().name(), vm.spec().id()));
      }
      environment.disks().checkNotOpenedAfter(vm.spec(), header.getEpoch());
      reader.restore(vm.ram(), vm.written(), progress);
      Set<PauseReason> reasons = header.getOperatorPaused()
          ? EnumSet.of(PauseReason.OPERATOR)
          : EnumSet.noneOf(PauseReason.class);
      vm.load(StateMessages.fromHeader(header), reasons);
      vm.requireReady();
    } catch (RuntimeException e) {
      // Whatever the bytes were, they are the file's fault.
      throw new IOException("saved state %s: %s".formatted(fileName, IoFailure.sentence(e)), e);
    }
  }

  private static SavedStateHeader header(SavedStateReader reader, String fileName) throws IOException {
    try {
      return SavedStateHeader.parseFrom(reader.metadata());
    } catch (InvalidProtocolBufferException e) {
      throw new IOException(
          "the header of saved state %s cannot be read: %s".formatted(fileName, IoFailure.sentence(e)), e);
    }
  }

  /** Deletes the file of a guest that runs: no row names it any more. */
  void discard(String fileName, MigrationLog log) {
    try {
      states().delete(fileName);
    } catch (IOException e) {
      log.warn("its saved state was not deleted: {}", IoFailure.sentence(e));
    }
  }

  private SavedStates states() throws IOException {
    return environment.savedStates().orElseThrow(
        () -> new IOException("this host has no shared storage; start its agent with --storage"));
  }
}
