package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.destination.Reception.Receiving;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;

/** Stage 1: checks that what comes is what was announced and that its disks are here, and builds the skeleton VM with all of its memory. */
final class Setup {
  private static final Duration CONFIGURATION_TIMEOUT = Duration.ofSeconds(10);

  private final DestinationSession session;
  private final Receiving receiving;

  Setup(DestinationSession session, Receiving receiving) {
    this.session = session;
    this.receiving = receiving;
  }

  /**
   * Builds the skeleton and says yes. How what the guest holds comes, the reception knows then.
   *
   * @param failed told by the thread of a data stream, or that in which the guest's machine starts
   */
  void run(Consumer<Throwable> failed) throws MigrationFailure, InterruptedException {
    long start = session.environment().ticker().nanos();
    VmConfiguration configuration = session.link().receive(VmConfiguration.class,
        Deadline.after(CONFIGURATION_TIMEOUT, session.environment().ticker()));
    check(configuration);
    session.environment().failpoints().at("destination.setup.configured");
    prepareDisks(configuration);
    IncomingGuest guest = skeleton();
    receiving.built(guest);
    switch (session.manner()) {
      case Manner.Live _ -> acceptPages(guest, failed);
      case Manner.Quick _ -> {
        MachineStart.now(guest);
        receiving.begins(new ArrivingFile(session, guest));
      }
    }
    session.link().send(SetupAccepted.newBuilder()
        .setPopulateSeconds(session.environment().ticker().secondsSince(start)).build());
    session.environment().failpoints().at("destination.setup.accepted");
  }

  private void prepareDisks(VmConfiguration configuration) throws MigrationFailure {
    try {
      if (session.manner() instanceof Manner.Live live && live.copiesDisks()) {
        receiving.disksPrepared(session.environment().disks().prepare(session.spec(),
            new IncomingDisks.Origin(session.spec().id(), session.epoch(), session.migration()),
            configuration.getDiskDataBytes()));
      } else {
        session.environment().disks().check(session.spec());
      }
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED, IoFailure.sentence(e));
    }
  }

  private IncomingGuest skeleton() throws MigrationFailure, InterruptedException {
    try {
      return session.environment().guests().skeleton(session.spec());
    } catch (OutOfMemoryException e) {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED,
          e.getMessage() == null ? "out of memory" : e.getMessage());
    }
  }

  /** From here on data streams may come. */
  private void acceptPages(IncomingGuest guest, Consumer<Throwable> failed)
      throws MigrationFailure, InterruptedException {
    // A machine may read its disks while it starts: it is not to see some that are half there.
    boolean isStartedAside = session.spec().startsBesidePages() && receiving.disks().isEmpty();
    if (!isStartedAside) {
      MachineStart.now(guest);
    }
    PagePlacement placement = new PagePlacement(guest, receiving.disks(), session.streams(),
        session.environment().scheduler(), failed);
    Optional<MachineStart> start = isStartedAside
        ? Optional.of(MachineStart.aside(guest, session.environment().scheduler(), failed::accept))
        : Optional.empty();
    // First: whatever fails from here on, what the placement has started is ended with the reception.
    receiving.begins(new ArrivingPages(session, placement, new StopAndCopy(session, guest, placement, start), start));
    session.link().acceptStreams(session.streams(), session.sessionKey(), placement);
  }

  private void check(VmConfiguration configuration) throws MigrationFailure {
    if (configuration.getPageBytes() != PageSize.BYTES) {
      throw violation("pages of %d bytes, expected %d".formatted(configuration.getPageBytes(), PageSize.BYTES));
    }
    if (configuration.getEpoch() != session.epoch().value()) {
      throw violation("epoch %d, the coordinator said %d".formatted(configuration.getEpoch(), session.epoch().value()));
    }
    VmSpec announced = session.spec().toMessage();
    if (!configuration.getSpec().equals(announced)) {
      throw violation(
          "the VM that the source describes is not the one that the coordinator announced: id=%s memory=%d vcpus=%d expected id=%s memory=%d vcpus=%d"
              .formatted(configuration.getSpec().getId(), configuration.getSpec().getMemoryBytes(),
                  configuration.getSpec().getVcpus(), announced.getId(),
                  announced.getMemoryBytes(), announced.getVcpus()));
    }
  }

  private static MigrationFailure violation(String message) {
    return new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION, message);
  }
}
