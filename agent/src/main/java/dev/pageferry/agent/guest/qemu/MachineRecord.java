package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.proto.qemu.v1.KeptMachine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;

/**
 * What an agent that finds a QEMU has to know of it.
 *
 * @param agents incarnations of this host that have had it, one after the other, or were about to
 * @param epoch under which this host had it last; 0: it was on its way
 * @param trackingDescriptor in QEMU, for {@link PageTracking}; empty where it was not made
 */
record MachineRecord(QemuSpec spec, List<Incarnation> agents, long epoch, OptionalInt trackingDescriptor) {
  MachineRecord {
    agents = List.copyOf(agents);
  }

  /** @throws IOException if there is none, or what is there is not one */
  static MachineRecord read(Path file) throws IOException {
    try {
      KeptMachine message = KeptMachine.parseFrom(Files.readAllBytes(file));
      return new MachineRecord(QemuSpec.of(message.getSpec()),
          message.getIncarnationsList().stream().map(Incarnation::new).toList(), message.getEpoch(),
          message.hasTrackingDescriptor() ? OptionalInt.of(message.getTrackingDescriptor()) : OptionalInt.empty());
    } catch (IllegalArgumentException e) {
      throw new IOException("%s is not a machine's: %s".formatted(file, e.getMessage()), e);
    }
  }

  /** Changes that of a machine which has one; two changes do not undo each other. */
  static void change(MachineFiles files, UnaryOperator<MachineRecord> change) throws IOException {
    synchronized (files) {
      if (Files.exists(files.record())) {
        change.apply(read(files.record())).write(files);
      }
    }
  }

  /** In place of any that is there, at once. */
  void write(MachineFiles files) throws IOException {
    Path next = files.record().resolveSibling("record.new");
    KeptMachine.Builder message = KeptMachine.newBuilder().setSpec(spec.toMessage())
        .addAllIncarnations(agents.stream().map(Incarnation::value).toList()).setEpoch(epoch);
    trackingDescriptor.ifPresent(message::setTrackingDescriptor);
    Files.write(next, message.build().toByteArray());
    Files.move(next, files.record(), StandardCopyOption.ATOMIC_MOVE);
  }

  /** With one more agent that is about to have it: ahead of its question, whose answer may be lost. */
  MachineRecord of(Incarnation next) {
    List<Incarnation> all = new ArrayList<>(agents);
    if (!all.contains(next)) {
      all.add(next);
    }
    return new MachineRecord(spec, all, epoch, trackingDescriptor);
  }

  MachineRecord under(OwnershipEpoch next) {
    return new MachineRecord(spec, agents, next.value(), trackingDescriptor);
  }

  MachineRecord tracked(int descriptor) {
    return new MachineRecord(spec, agents, epoch, OptionalInt.of(descriptor));
  }
}
