package dev.pageferry.agent.transport;

import dev.pageferry.agent.guest.GuestDisks;
import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.guest.PauseReason;
import dev.pageferry.agent.guest.Replayable;
import dev.pageferry.agent.guest.builtin.Booted;
import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.guest.builtin.VmFactory;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.migration.Failpoints;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.IncomingMigrations;
import dev.pageferry.agent.ownership.OwnershipClient;
import dev.pageferry.agent.ownership.OwnershipDialogue;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.common.time.Ticker;
import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;

/** A host that VMs can come to: its memory, its listener, and the VMs it has adopted. */
final class TestHost implements AutoCloseable {
  static final long MEMORY_BYTES = 256L << 20;

  /** A VM that this host was told to run. */
  record Adopted(VirtualMachine vm, OwnershipEpoch epoch) {
  }

  private final String name;
  private final MigrationTls tls;
  private final HostMemory memory = new HostMemory(MEMORY_BYTES);
  private final GuestDisks disks;
  private final VmFactory factory;
  private final Map<VmId, Adopted> adopted = new ConcurrentHashMap<>();
  private final IncomingMigrations incoming;
  private final MigrationServer server;

  TestHost(String name, EventLoops loops, OwnershipClient ownership, GuestDisks disks, MigrationTls tls)
      throws IOException, InterruptedException {
    this.name = name;
    this.tls = tls;
    this.disks = disks;
    factory = new VmFactory(memory, disks, Ticker.SYSTEM);
    incoming = new IncomingMigrations(factory, disks, Optional.empty(),
        new OwnershipDialogue.Line(ownership, Scheduler.SYSTEM, new Random(1)), () -> {
        }, this::adopt, (migration, vm) -> MigrationLog.SILENT, new Failpoints(Optional.empty()));
    server = MigrationServer.listen(loops, new HostPort("127.0.0.1", 0), tls, incoming);
  }

  private void adopt(IncomingGuest vm, OwnershipEpoch epoch) {
    if (adopted.putIfAbsent(vm.spec().id(), new Adopted((VirtualMachine) vm, epoch)) != null) {
      throw new IllegalStateException("adopted twice");
    }
  }

  String name() {
    return name;
  }

  MigrationTls tls() {
    return tls;
  }

  GuestDisks disks() {
    return disks;
  }

  HostMemory memory() {
    return memory;
  }

  IncomingMigrations incoming() {
    return incoming;
  }

  MigrationServer server() {
    return server;
  }

  HostPort address() {
    return new HostPort("127.0.0.1", server.port());
  }

  /** Boots a VM here and lets it run. */
  VirtualMachine boot(VmSpec spec) throws Exception {
    VirtualMachine vm = Booted.vm(factory, spec, 1);
    vm.resume(PauseReason.OPERATOR);
    adopted.put(spec.id(), new Adopted(vm, new OwnershipEpoch(1)));
    return vm;
  }

  Optional<Adopted> find(VmId vm) {
    return Optional.ofNullable(adopted.get(vm));
  }

  Collection<Adopted> adopted() {
    return adopted.values();
  }

  /** What an agent does with a VM that belongs to another host now. */
  void giveAway(VmId vm) {
    Adopted gone = adopted.remove(vm);
    if (gone != null) {
      gone.vm().close();
    }
  }

  Replayable.Result verify(VirtualMachine vm) throws Exception {
    return vm.verify((steps, total) -> {
    });
  }

  @Override
  public void close() throws InterruptedException {
    incoming.close(Duration.ZERO);
    server.close();
    adopted.values().forEach(each -> each.vm().close());
  }
}
