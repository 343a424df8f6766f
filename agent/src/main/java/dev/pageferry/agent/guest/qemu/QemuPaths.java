package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.common.identity.Incarnation;
import dev.pageferry.common.identity.VmId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a host has for machines of QEMU.
 *
 * @param host its name; there may be others on this machine
 * @param binary a path, or a name that is looked up in {@code PATH}
 * @param ramDirectory a tmpfs, where each machine has a directory of its own: its memory and its sockets
 * @param allowed files that operators may name
 * @param allowedOptions of QEMU, which operators may add to machines
 * @param keepers a directory on shared storage: who keeps a machine has a file locked there; empty: this host has no storage
 * @param firmware directories of descriptions of firmware; of two with one name that of the later directory counts
 */
public record QemuPaths(String host, String binary, Path ramDirectory, Optional<Path> keepers, AllowedPaths allowed,
    Set<String> allowedOptions, List<Path> firmware) {
  /** Of packages, and what the machine's administrator puts in their place. Source: QEMU's {@code docs/interop/firmware.json}. */
  public static final List<Path> FIRMWARE = List.of(Path.of("/usr/share/qemu/firmware"),
      Path.of("/etc/qemu/firmware"));
  private static final String PREFIX = "pageferry-";
  private static final String SPARE = "spare-";
  /** Of a socket's path, with its end. Source: {@code unix(7)}. */
  private static final int LONGEST_SOCKET_PATH = 107;

  public QemuPaths {
    allowedOptions = Set.copyOf(allowedOptions);
    firmware = List.copyOf(firmware);
  }

  Path directoryOf(VmId vm) {
    return ramDirectory.resolve(PREFIX + host + "-" + vm.value());
  }

  /** What a machine's keeper has locked, so that other hosts see that it is kept. */
  Optional<Path> keeperLock(VmId vm) {
    return keepers.map(each -> each.resolve(host + "." + vm.value()));
  }

  /** For memory that no machine has: a directory of that agent's. */
  Path spare(Incarnation agent, long number) {
    return ramDirectory.resolve("%s%s-%s%s-%d".formatted(PREFIX, host, SPARE, agent.value(), number));
  }

  /** @throws IOException naming what this host lacks for the machine, or does not allow */
  void check(QemuSpec spec) throws IOException {
    requireBinary();
    requireShort(spec.id());
    if (spec.boots().isPresent()) {
      DirectKernel boot = spec.boots().get();
      allowed.requireFile(boot.kernel());
      if (boot.initrd().isPresent()) {
        allowed.requireFile(boot.initrd().get());
      }
    }
    for (QemuArgument each : spec.arguments()) {
      requireAllowed(each);
    }
    if (spec.uefi().isPresent()) {
      FirmwareFiles _ = firmwareOf(spec);
    }
  }

  /** @throws IOException if this host has none that fits into the machine */
  FirmwareFiles firmwareOf(QemuSpec spec) throws IOException {
    FirmwareFiles found = firmwareFor(spec.machine());
    UefiFirmware sizes = spec.uefi().orElseThrow();
    if (!found.sizes().equals(sizes)) {
      throw new IOException("VM %s has UEFI firmware of %d bytes with %d bytes of variables, and %s here has %d and %d"
          .formatted(spec.name(), sizes.codeBytes(), sizes.variablesBytes(), found.code(), found.sizes().codeBytes(),
              found.sizes().variablesBytes()));
    }
    return found;
  }

  /** @throws IOException if this host has none */
  FirmwareFiles firmwareFor(String machine) throws IOException {
    return FirmwareFiles.find(firmware, machine).orElseThrow(
        () -> new IOException(
            "this host has no UEFI firmware for machine type '%s' (looked at what is described in %s); install ovmf"
                .formatted(machine, firmware)));
  }

  private void requireAllowed(QemuArgument argument) throws IOException {
    if (!allowedOptions.contains(argument.option())) {
      throw new IOException(
          "QEMU's option '%s' is not one that this host's agent allows (--allow-qemu-arg: %s)".formatted(
              argument.option(), allowedOptions.isEmpty() ? "none" : String.join(",", new TreeSet<>(allowedOptions))));
    }
  }

  /** @throws IOException if the paths of a machine's sockets would be too long */
  void requireShort(VmId vm) throws IOException {
    String longest = MachineFiles.longestSocket(directoryOf(vm)).toString();
    if (longest.getBytes(StandardCharsets.UTF_8).length > LONGEST_SOCKET_PATH) {
      throw new IOException("%s is longer than a socket's path may be, %d bytes; give a shorter --ram-dir".formatted(
          longest, LONGEST_SOCKET_PATH));
    }
  }

  /**
   * Of machines that agents before this one have left.
   *
   * @param ended which these were; another cluster may have a host of this name on this machine, or one whose name begins so
   */
  List<Path> directories(Collection<Incarnation> ended) throws IOException {
    List<Path> own = new ArrayList<>();
    if (Files.isDirectory(ramDirectory)) {
      try (DirectoryStream<Path> left = Files.newDirectoryStream(ramDirectory, PREFIX + host + "-*")) {
        for (Path each : left) {
          // Another program's file may have such a name, too.
          if (Files.isDirectory(each) && isOwn(each, ended)) {
            own.add(each);
          }
        }
      }
    }
    return own;
  }

  /** Of machines whose QEMU has ended, whosever they were. */
  List<Path> ended() throws IOException {
    List<Path> ended = new ArrayList<>();
    if (Files.isDirectory(ramDirectory)) {
      try (DirectoryStream<Path> all = Files.newDirectoryStream(ramDirectory, PREFIX + "*")) {
        for (Path each : all) {
          if (Files.exists(MachineFiles.endedOf(each))) {
            ended.add(each);
          }
        }
      }
    }
    return ended;
  }

  /** One without a record has no QEMU, and is anybody's to remove. */
  private static boolean isOwn(Path directory, Collection<Incarnation> ended) {
    try {
      return !Collections.disjoint(MachineRecord.read(MachineFiles.recordOf(directory)).agents(), ended);
    } catch (IOException e) {
      return true;
    }
  }

  /** @throws IOException if there is none */
  void requireBinary() throws IOException {
    boolean isThere = binary.contains("/")
        ? Files.isExecutable(Path.of(binary))
        : Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":")).filter(each -> !each.isEmpty())
            .anyMatch(each -> Files.isExecutable(Path.of(each, binary)));
    if (!isThere) {
      throw new IOException("this host has no %s; install QEMU there, or name it with --qemu".formatted(binary));
    }
  }
}
