package dev.pageferry.support;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A small Linux for machines of QEMU, which {@code scripts/linux-guest} makes. It counts on its console. */
public record LinuxGuest(Path kernel, Path initrd) {
  /** Where it is kept, which agents of tests allow. */
  static final Path DIRECTORY = Path.of(System.getenv().getOrDefault("XDG_CACHE_HOME",
      System.getProperty("user.home") + "/.cache"), "ferry", "linux-guest");

  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final Pattern VERSION = Pattern.compile("version (\\d+)\\.(\\d+)\\.(\\d+)");
  /** QEMU's software emulation loses pages before this. */
  private static final int OLDEST = 80202;

  /** The guest; the test is skipped, and says why, where there is no QEMU that can move it or it cannot be made. */
  public static LinuxGuest orSkip() throws IOException, InterruptedException {
    assumeTrue(versionOfQemu() >= OLDEST,
        "qemu-system-x86_64 8.2.2 or newer is not installed: tests of QEMU guests are skipped");
    CommandResult made = CommandResult.of(List.of(ROOT.resolve("scripts/linux-guest").toString()), Map.of());
    assumeTrue(made.exitCode() == 0, "the Linux guest cannot be made here: " + made.errors());
    String[] files = made.output().strip().split("\n");
    return new LinuxGuest(Path.of(files[0]), Path.of(files[1]));
  }

  private static int versionOfQemu() throws InterruptedException {
    try {
      Matcher version = VERSION
          .matcher(CommandResult.of(List.of("qemu-system-x86_64", "--version"), Map.of()).output());
      return version.find()
          ? Integer.parseInt(version.group(1)) * 10000 + Integer.parseInt(version.group(2)) * 100
              + Integer.parseInt(version.group(3))
          : 0;
    } catch (IOException e) {
      return 0; // not installed
    }
  }

  /** What {@code ferry vm create NAME} needs for it, and these. */
  public String[] create(String name, String host, String... more) {
    return createOf("128MiB", name, host, more);
  }

  /** As {@link #create}, with that much memory. */
  public String[] createOf(String memory, String name, String host, String... more) {
    List<String> arguments = new ArrayList<>(List.of("vm", "create", name, "--host", host, "--hypervisor", "qemu",
        "--memory", memory, "--accel", "tcg", "--kernel", kernel.toString(), "--initrd", initrd.toString(), "-o",
        "json"));
    arguments.addAll(List.of(more));
    return arguments.toArray(String[]::new);
  }
}
