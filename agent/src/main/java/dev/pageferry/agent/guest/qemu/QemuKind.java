package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.GuestKind;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.LeftGuest;
import dev.pageferry.agent.guest.ResolvedSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.network.HostNetwork;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.proto.agent.v1.QemuFacts;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Builds machines of QEMU. */
public final class QemuKind implements GuestKind {
  private static final Logger log = LoggerFactory.getLogger(QemuKind.class);

  private final HostMemory memory;
  private final GuestDisks disks;
  private final HostNetwork network;
  private final QemuPaths paths;
  private final QemuStarter starter;
  private final Scheduler scheduler;
  private final QemuAbilities abilities;
  private final AtomicLong spares = new AtomicLong();

  /**
   * @param agent of this host, which has these machines
   * @param patience how long they live without an agent of this host, once this one has ended
   * @param writtenPages who tells which pages they write
   */
  public QemuKind(HostMemory memory, GuestDisks disks, HostNetwork network, QemuPaths paths, Incarnation agent,
      Duration patience, WrittenPagesFrom writtenPages, Scheduler scheduler) {
    this.memory = memory;
    this.disks = disks;
    this.network = network;
    this.paths = paths;
    this.starter = new QemuStarter(paths, agent, patience, writtenPages, scheduler);
    this.scheduler = scheduler;
    this.abilities = new QemuAbilities(paths, scheduler);
  }

  /** What machines can be here; takes as long as to start a few programs. */
  public QemuFacts facts() throws InterruptedException {
    try {
      paths.requireBinary();
      return abilities.facts();
    } catch (IOException e) {
      return QemuFacts.newBuilder().setTrouble(String.valueOf(e.getMessage())).build();
    }
  }

  @Override
  public ResolvedSpec resolve(VmSpec message) throws IOException, InterruptedException {
    paths.requireBinary();
    return abilities.resolve(message);
  }

  @Override
  public GuestSpec spec(VmSpec message) {
    return QemuSpec.of(message);
  }

  @Override
  public void check(GuestSpec spec) throws IOException, InterruptedException {
    paths.check(own(spec));
    abilities.check(own(spec));
    disks.check(spec);
  }

  @Override
  public void checkArrival(GuestSpec spec) throws IOException, InterruptedException {
    own(spec).requireMovable();
    paths.check(own(spec));
    abilities.check(own(spec));
  }

  @Override
  public QemuGuest skeleton(GuestSpec spec) throws OutOfMemoryException, InterruptedException {
    QemuSpec own = own(spec);
    try {
      MachineFiles files = MachineFiles.create(paths.directoryOf(own.id()));
      try {
        return guest(own, files, MachineMemory.allocate(memory, own, files, this::newSpare));
      } catch (IOException | OutOfMemoryException | InterruptedException | RuntimeException | Error e) {
        files.close();
        throw e;
      }
    } catch (IOException e) {
      throw new OutOfMemoryException(own.memoryBytes(), e);
    }
  }

  private Path newSpare() {
    return paths.spare(starter.agent(), spares.incrementAndGet());
  }

  private QemuGuest guest(QemuSpec spec, MachineFiles files, MachineMemory ram) throws IOException {
    try {
      ServedDisks served = new ServedDisks(spec, files, disks, scheduler);
      return new QemuGuest(spec, ram, files, served,
          new MachineCards(spec, files, network, served.held()::isPermitted, scheduler),
          new MachineConsole(spec.name(), files, scheduler), variables(spec), starter, scheduler);
    } catch (IOException | RuntimeException | Error e) {
      ram.close();
      throw e;
    }
  }

  private Optional<UefiVariables> variables(QemuSpec spec) {
    return spec.uefi().flatMap(flash -> disks.savedStates()
        .map(directory -> new UefiVariables(spec.id(), directory, flash.variablesBytes())));
  }

  /**
   * Machines that agents of this host left running; whatever else they left of machines is removed.
   *
   * @param ended these agents, which are known to have ended
   */
  public List<LeftGuest> left(Collection<Incarnation> ended) throws IOException, InterruptedException {
    removeEnded();
    List<LeftGuest> left = new ArrayList<>();
    for (Path directory : paths.directories(ended)) {
      try {
        Optional<MachineFiles> files = MachineFiles.found(directory);
        if (files.isPresent()) {
          found(files.get()).ifPresent(left::add);
        }
      } catch (IOException e) {
        log.warn("{} is what is left of a machine, and cannot be used or removed: {}", directory, e.toString());
      }
    }
    return left;
  }

  /** Small files of machines that nobody can take over; those of an agent that lives are locked. */
  private void removeEnded() throws IOException {
    for (Path directory : paths.ended()) {
      try {
        Optional<MachineFiles> files = MachineFiles.found(directory);
        if (files.isPresent() && KeptQemu.processes(files.get()).isEmpty()) {
          files.get().close();
        } else if (files.isPresent()) {
          files.get().leave();
        }
      } catch (IOException e) {
        log.debug("{} is another user's, or cannot be removed: {}", directory, e.toString());
      }
    }
  }

  private Optional<LeftGuest> found(MachineFiles files) throws IOException, InterruptedException {
    Optional<KeptQemu> qemu = Optional.empty();
    boolean isTaken = false;
    try {
      qemu = KeptQemu.found(files, scheduler);
      if (qemu.isEmpty()) {
        KeptQemu.endAll(files, scheduler);
        isTaken = true;
        files.close();
        return Optional.empty();
      }
      MachineRecord record = MachineRecord.read(files.record()).of(starter.agent());
      write(record, files);
      QemuGuest guest = guest(record.spec(), files,
          MachineMemory.adopt(memory, record.spec(), files, this::newSpare));
      isTaken = true;
      log.info("vm={} runs here, and was left by the agent before", record.spec().name());
      return Optional.of(new LeftMachine(guest, qemu.get(), record));
    } finally {
      if (!isTaken) {
        // Its keeper ends it, unless another agent can do better.
        qemu.ifPresent(KeptQemu::abandon);
        files.leave();
      }
    }
  }

  /** Without it a guest is lost only if this agent is not told whose it is, and ends. */
  private static void write(MachineRecord record, MachineFiles files) {
    try {
      record.write(files);
    } catch (IOException e) {
      log.warn("vm={} that this agent is about to have it could not be noted: {}", record.spec().name(), e.toString());
    }
  }

  private static QemuSpec own(GuestSpec spec) {
    if (spec instanceof QemuSpec own) {
      return own;
    }
    throw new IllegalArgumentException("%s is not a specification of a machine of QEMU".formatted(spec));
  }
}
