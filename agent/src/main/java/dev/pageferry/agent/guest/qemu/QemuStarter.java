package dev.pageferry.agent.guest.qemu;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.identity.Incarnation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/**
 * Starts QEMUs.
 *
 * @param agent of this host, which has them
 * @param patience how long they live without an agent of this host
 * @param writtenPages who tells which pages they write
 */
record QemuStarter(QemuPaths paths, Incarnation agent, Duration patience, WrittenPagesFrom writtenPages,
    Scheduler scheduler) {
  /**
   * Starts one.
   *
   * @param isIncoming whether it waits for a state
   * @param epoch under which this host has it; 0: it is on its way
   * @throws IOException also where this host does not allow it
   */
  KeptQemu start(QemuSpec spec, MachineFiles files, boolean isIncoming, long epoch)
      throws IOException, InterruptedException {
    paths.check(spec);
    // Ahead of it: one that is found without a record is ended.
    new MachineRecord(spec, List.of(agent), epoch, OptionalInt.empty()).write(files);
    List<String> command = new ArrayList<>(List.of(paths.binary()));
    command.addAll(QemuCommand.of(spec, files, isIncoming));
    if (spec.uefi().isPresent()) {
      command.addAll(uefi(paths.firmwareOf(spec), files));
    }
    return KeptQemu.start(command, files, new KeptQemu.Terms(patience, paths.keeperLock(spec.id())), scheduler);
  }

  /**
   * Variables begin as the firmware's package has them, unless the machine has some, or its state, in which flash memory is, brings
   * others.
   */
  private static List<String> uefi(FirmwareFiles firmware, MachineFiles files) throws IOException {
    if (!Files.exists(files.variables())) {
      Files.copy(firmware.variables(), files.variables());
    }
    Files.setPosixFilePermissions(files.variables(), PosixFilePermissions.fromString("rw-------"));
    return QemuCommand.flash(firmware.code(), files.variables());
  }
}
