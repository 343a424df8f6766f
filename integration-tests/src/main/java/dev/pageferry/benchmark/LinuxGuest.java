package dev.pageferry.benchmark;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The small Linux that {@code scripts/linux-guest} makes: its kernel and its initial RAM disk. */
record LinuxGuest(Path kernel, Path initrd) {
  /** The machine that {@code ferry vm create --hypervisor qemu} makes; QEMU alone gets the same. */
  private static final String MACHINE = "pc-i440fx-10.0";
  private static final String CPU = "qemu64";
  private static final Duration LIMIT = Duration.ofMinutes(3);
  private static final Pattern VERSION = Pattern.compile("version (\\d+)\\.(\\d+)");
  /** The machine type needs it, and older ones lose pages when they emulate. */
  private static final int OLDEST_MAJOR = 10;

  /** Why no guest can be measured here; null if one can. */
  static @Nullable String obstacle(Children children) {
    if (!QemuPeer.installed()) {
      return QemuMachine.PROGRAM + " is not installed.";
    }
    String said = children.run(LIMIT, List.of(QemuMachine.PROGRAM, "--version")).output();
    Matcher version = VERSION.matcher(said);
    return version.find() && Integer.parseInt(version.group(1)) >= OLDEST_MAJOR
        ? null
        : "QEMU " + OLDEST_MAJOR + " or newer is needed, and this is " + said.lines().findFirst().orElse("none");
  }

  /** Makes it, where that was not done before. */
  static LinuxGuest make(Children children) {
    Children.Result made = children.run(LIMIT, List.of("scripts/linux-guest"));
    if (made.exitCode() != 0) {
      throw new BenchmarkException("scripts/linux-guest: " + made.complaint());
    }
    List<String> files = made.output().strip().lines().toList();
    return new LinuxGuest(Path.of(files.get(0)), Path.of(files.get(1)));
  }

  /** What agents must allow. */
  Path directory() {
    return Objects.requireNonNull(kernel.getParent());
  }

  /**
   * One to boot.
   *
   * @param settings its kernel's command line, beside the console
   * @param disk a disk that it reads, by its name and as a file; null: none
   */
  record Spec(String name, long memoryBytes, String settings, @Nullable RealContent disk) {
    private String append() {
      return "console=ttyS0 " + settings;
    }
  }

  /** Words of {@code ferry vm create}. */
  List<String> ferryWords(Spec spec, String host) {
    List<String> words = new ArrayList<>(List.of("vm", "create", spec.name(), "--host", host, "--hypervisor", "qemu",
        "--memory", spec.memoryBytes() / Bench.MEBIBYTE + "MiB", "--kernel", kernel.toString(), "--initrd",
        initrd.toString(), "--machine", MACHINE, "--cpu", CPU, "--append", spec.append()));
    if (spec.disk() != null) {
      words.addAll(List.of("--disk", spec.disk().name()));
    }
    return words;
  }

  /** Words of QEMU, for a guest whose RAM is that file, all of it there before the guest starts. */
  List<String> qemuWords(Spec spec, GuestMemoryFile memory, Path console, boolean incoming) {
    List<String> words = new ArrayList<>(List.of(QemuMachine.PROGRAM, "-nodefaults", "-no-user-config", "-display",
        "none", "-accel", "tcg", "-machine", MACHINE + ",memory-backend=pc.ram", "-cpu", CPU + ",enforce", "-smp", "1",
        "-m", spec.memoryBytes() + "B", "-object",
        "memory-backend-file,id=pc.ram,size=%d,mem-path=%s,share=on,prealloc=on,prealloc-threads=%d".formatted(
            spec.memoryBytes(), memory.path(), Runtime.getRuntime().availableProcessors()),
        "-serial", "file:" + console, "-device", "pvpanic",
        "-kernel", kernel.toString(), "-initrd", initrd.toString(), "-append", spec.append()));
    if (spec.disk() != null) {
      words.addAll(List.of("-blockdev",
          "driver=raw,node-name=disk,read-only=on,file.driver=file,file.locking=off,file.filename="
              + spec.disk().file(),
          "-device", "virtio-blk-pci,drive=disk"));
    }
    if (incoming) {
      words.addAll(List.of("-incoming", "defer"));
    }
    return words;
  }
}
