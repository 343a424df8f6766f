package dev.pageferry.agent.migration.destination;

import dev.pageferry.agent.disk.IncomingDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.VmSpec;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.migration.Manner;
import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.agent.migration.SpecMessages;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** Stage 1: checks that what comes is what was announced and that its disks are here, and builds the skeleton VM with all of its memory. */
final class Setup {
  private static final Duration CONFIGURATION_TIMEOUT = Duration.ofSeconds(10);

  private final DestinationSession session;
  private Optional<IncomingDisks> disks = Optional.empty();

  Setup(DestinationSession session) {
    this.session = session;
  }

  IncomingGuest run() throws MigrationFailure, InterruptedException {
    Deadline deadline = Deadline.after(CONFIGURATION_TIMEOUT, session.environment().ticker());
    VmConfiguration configuration = session.link().receive(VmConfiguration.class, deadline);
    check(configuration);
    session.environment().failpoints().at("destination.setup.configured");
    try {
      if (session.manner() == Manner.SHARED_NOTHING) {
        disks = Optional.of(session.environment().disks().prepare(session.spec(),
            new IncomingDisks.Origin(session.spec().id(), session.epoch(), session.migration()),
            configuration.getDiskDataBytes()));
      } else {
        session.environment().disks().check(session.spec());
      }
    } catch (IOException e) {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED, String.valueOf(e.getMessage()));
    }
    try {
      return session.environment().guests().skeleton(session.spec());
    } catch (OutOfMemoryException e) {
      throw new MigrationFailure.Stopped(FailureCode.DESTINATION_REFUSED,
          e.getMessage() == null ? "out of memory" : e.getMessage());
    }
  }

  /** Where the VM's disks are to come to, if they come too; however {@link #run} ended. */
  Optional<IncomingDisks> disks() {
    return disks;
  }

  /** Says that the memory is there; data streams may come. */
  void accept(PagePlacement placement, double populateSeconds) throws InterruptedException {
    session.link().acceptStreams(session.streams(), session.sessionKey(), placement);
    session.link().send(SetupAccepted.newBuilder().setPopulateSeconds(populateSeconds).build());
    session.environment().failpoints().at("destination.setup.accepted");
  }

  /** Says that the memory is there; the state comes by a file. */
  void acceptFile(double populateSeconds) throws InterruptedException {
    session.link().send(SetupAccepted.newBuilder().setPopulateSeconds(populateSeconds).build());
    session.environment().failpoints().at("destination.setup.accepted");
  }

  private void check(VmConfiguration configuration) throws MigrationFailure {
    if (configuration.getPageBytes() != PageSize.BYTES) {
      throw violation("pages of %d bytes, expected %d".formatted(configuration.getPageBytes(), PageSize.BYTES));
    }
    if (configuration.getEpoch() != session.epoch().value()) {
      throw violation("epoch %d, the coordinator said %d".formatted(configuration.getEpoch(), session.epoch().value()));
    }
    VmSpec announced = session.spec();
    if (!configuration.getSpec().equals(SpecMessages.toProto(announced))) {
      throw violation(
          "the VM that the source describes is not the one that the coordinator announced: id=%s memory=%d vcpus=%d expected id=%s memory=%d vcpus=%d"
              .formatted(configuration.getSpec().getId(), configuration.getSpec().getMemoryBytes(),
                  configuration.getSpec().getVcpus(), announced.id(),
                  announced.memoryBytes(), announced.vcpus()));
    }
  }

  private static MigrationFailure violation(String message) {
    return new MigrationFailure.PeerAtFault(FailureCode.PROTOCOL_VIOLATION, message);
  }
}
