package dev.pageferry.agent.inspection;

import dev.pageferry.agent.disk.HostSign;
import dev.pageferry.agent.disk.SharedStorage;
import dev.pageferry.agent.disk.StorageTrials;
import dev.pageferry.agent.migration.ProtocolVersion;
import dev.pageferry.agent.os.Linux;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.proto.agent.v1.CertificateFacts;
import dev.pageferry.proto.agent.v1.Clocks;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.HostSigns;
import dev.pageferry.proto.agent.v1.NetworkCardFacts;
import dev.pageferry.proto.agent.v1.QemuFacts;
import dev.pageferry.proto.agent.v1.ResolvedName;
import dev.pageferry.proto.agent.v1.StorageFacts;
import dev.pageferry.proto.agent.v1.StorageTrial;
import dev.pageferry.proto.agent.v1.StorageTried;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Answers what a host is. Every answer is bounded in time, whatever its storage or its name server does. */
public final class HostInspection {
  private static final Duration STORAGE_ANSWERS = Duration.ofSeconds(10);
  private static final Duration NAMES_ANSWER = Duration.ofSeconds(5);
  private static final int MOST_HUNG = 4;
  /** Many hosts may be silent at once. */
  private static final int MOST_LOOKS = 32;
  private static final int MOST_NAMES = 100;

  /** What machines of QEMU can be here; takes as long as to start a few programs. */
  @FunctionalInterface
  public interface Qemu {
    QemuFacts facts() throws InterruptedException;
  }

  /**
   * What is looked at.
   *
   * @param managementAddress that the coordinator reaches this agent at, without its port
   * @param migrationAddress that other hosts reach it at
   * @param credentials empty: this agent works without certificates
   * @param isMigrating whether a migration comes or goes
   */
  public record Subject(String version, String managementAddress, String migrationAddress, Qemu qemu,
      Optional<SharedStorage> storage, Optional<Credentials> credentials, BooleanSupplier isMigrating) {
  }

  private final Subject subject;
  private final Scheduler scheduler;
  private final BoundedCall storageCalls;
  private final BoundedCall looks;
  private final BoundedCall nameCalls;

  public HostInspection(Subject subject, Scheduler scheduler) {
    this.subject = subject;
    this.scheduler = scheduler;
    this.storageCalls = new BoundedCall(scheduler, MOST_HUNG);
    this.looks = new BoundedCall(scheduler, MOST_LOOKS);
    this.nameCalls = new BoundedCall(scheduler, MOST_HUNG);
  }

  /** Whether a migration comes or goes: then no link of this host is measured. */
  public boolean isMigrating() {
    return subject.isMigrating().getAsBoolean();
  }

  /** The clocks of this machine, now. */
  public Clocks clocks() {
    return Clocks.newBuilder().setWallMicros(TimeUnit.MILLISECONDS.toMicros(scheduler.wallMillis()))
        .setBootNanos(Linux.bootTimeNanos()).build();
  }

  /** @param names that are to be looked up */
  public HostFacts facts(List<String> names) throws IOException, InterruptedException {
    if (names.size() > MOST_NAMES) {
      throw new IllegalArgumentException("%d names are more than %d".formatted(names.size(), MOST_NAMES));
    }
    HostFacts.Builder facts = HostFacts.newBuilder().setVersion(subject.version())
        .setLowestProtocol(ProtocolVersion.LOWEST).setHighestProtocol(ProtocolVersion.CURRENT)
        .setManagement(card(subject.managementAddress())).setMigration(card(subject.migrationAddress()))
        .setMachineMemoryBytes(MachineMemoryFile.bytes()).setQemu(subject.qemu().facts())
        .setMigrating(isMigrating());
    Deadline deadline = Deadline.after(NAMES_ANSWER.multipliedBy(2), scheduler);
    for (String each : names) {
      facts.addNames(lookUp(each, deadline));
    }
    subject.credentials().ifPresent(it -> facts.setCertificate(CertificateFacts.newBuilder()
        .setMember(it.self().toString()).setCluster(it.self().cluster())
        .setNotAfterSeconds(it.notAfter().getEpochSecond())));
    if (subject.storage().isPresent()) {
      facts.setStorage(storage(subject.storage().get()));
    }
    // Last, so that they are as old as the way of the answer.
    return facts.setClocks(clocks()).build();
  }

  private NetworkCardFacts card(String address) throws InterruptedException {
    try {
      return nameCalls.call("the name server", NAMES_ANSWER, () -> NetworkCards.of(address));
    } catch (IOException e) {
      return NetworkCardFacts.newBuilder().setAddress(address).build();
    }
  }

  /** @param deadline of all of them together */
  private ResolvedName lookUp(String name, Deadline deadline) throws InterruptedException {
    ResolvedName.Builder resolved = ResolvedName.newBuilder().setName(name);
    try {
      Duration left = Duration.ofNanos(Math.min(NAMES_ANSWER.toNanos(), deadline.remainingNanos()));
      InetAddress[] found = nameCalls.call("the name server", left, () -> InetAddress.getAllByName(name));
      return resolved.addAllAddresses(Arrays.stream(found).map(InetAddress::getHostAddress).sorted().toList()).build();
    } catch (IOException e) {
      return resolved.setTrouble(String.valueOf(e.getMessage())).build();
    }
  }

  private StorageFacts storage(SharedStorage shared) throws InterruptedException {
    StorageFacts.Builder facts = StorageFacts.newBuilder().setId(shared.id()).setDirectory(shared.root().toString());
    try {
      return storageCalls.call("the storage", STORAGE_ANSWERS, () -> {
        FileStore store = Files.getFileStore(shared.root());
        return facts.setTotalBytes(store.getTotalSpace())
            .setUsableBytes(store.getUsableSpace()).build();
      });
    } catch (IOException e) {
      // The trials of the storage say what is wrong with it.
      return facts.build();
    }
  }

  private SharedStorage storage() throws IOException {
    return subject.storage()
        .orElseThrow(() -> new IOException("this host has no shared storage; start its agent with --storage"));
  }

  /**
   * Whether another host lives.
   *
   * @throws IOException if the storage does not tell, or there is none
   */
  public HostSigns lookAt(HostId host, String incarnation) throws IOException, InterruptedException {
    SharedStorage shared = storage();
    HostSign sign = looks.call("the storage " + shared.root(), STORAGE_ANSWERS,
        () -> shared.looks().look(host.value(), incarnation));
    return HostSigns.newBuilder().setReason(sign.reason()).setWaitMillis(sign.remaining().toMillis())
        .setVerdict(switch (sign.verdict()) {
          case UNKNOWN -> HostSigns.Verdict.VERDICT_UNSPECIFIED;
          case LIVES -> HostSigns.Verdict.LIVES;
          case WAITING -> HostSigns.Verdict.WAITING;
          case GONE -> HostSigns.Verdict.GONE;
        }).build();
  }

  /**
   * Which of these VMs another host's keepers have a machine of.
   *
   * @throws IOException if the storage does not tell, or there is none
   */
  public List<VmId> kept(HostId host, List<VmId> vms) throws IOException, InterruptedException {
    SharedStorage shared = storage();
    return vms.isEmpty()
        ? List.of()
        : looks.call("the storage " + shared.root(), STORAGE_ANSWERS, () -> shared.kept(host.value(), vms));
  }

  /** @throws IOException with the reason if that step fails, or there is no storage */
  public StorageTried tryStorage(StorageTrial trial) throws IOException, InterruptedException {
    SharedStorage shared = storage();
    return storageCalls.call("the storage " + shared.root(), STORAGE_ANSWERS, () -> step(shared, trial));
  }

  private static StorageTried step(SharedStorage shared, StorageTrial trial) throws IOException {
    shared.requireThere();
    StorageTrials trials = shared.trials();
    StorageTried.Builder tried = StorageTried.newBuilder();
    switch (trial.getStep()) {
      case WRITE -> tried.setFlushSeconds(trials.write(trial.getTrialId(), trial.getHost(), trial.getContent()));
      case READ -> tried.setContent(trials.read(trial.getTrialId(), trial.getHost()).orElse(""));
      case LOCK -> tried.setLocked(trials.lock(trial.getTrialId()));
      case TRY_LOCK -> tried.setLocked(trials.tryLock(trial.getTrialId()));
      case UNLOCK -> trials.unlock(trial.getTrialId());
      case CLEAN -> trials.clean(trial.getTrialId());
      case STEP_UNSPECIFIED, UNRECOGNIZED -> throw new IllegalArgumentException("no such step of a trial of storage");
    }
    return tried.build();
  }
}
