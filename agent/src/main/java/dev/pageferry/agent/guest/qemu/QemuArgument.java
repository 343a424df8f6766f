package dev.pageferry.agent.guest.qemu;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * An option of QEMU that an operator adds to a machine, where the host allows it by name.
 *
 * @param option its name, without the dash
 */
public record QemuArgument(String option, Optional<String> value) {
  /** As many as a command line needs, and few enough for every message. */
  static final int MOST = 32;
  private static final int LONGEST_VALUE = 1024;
  private static final Pattern OPTION = Pattern.compile("[A-Za-z0-9][A-Za-z0-9-]{0,63}");
  /** A machine has these from its agent, which relies on them. Source: {@code qemu-system-x86_64(1)}. */
  private static final Set<String> OF_THE_AGENT = Set.of("M", "S", "accel", "action", "append", "chroot", "cpu",
      "daemonize",
      "display", "enable-kvm", "incoming", "initrd", "kernel", "m", "machine", "mon", "monitor", "name", "no-reboot",
      "no-shutdown", "no-user-config", "nodefaults", "nographic", "pidfile", "preconfig", "qmp", "qmp-pretty",
      "readconfig",
      "run-with", "runas", "sandbox", "serial", "smp", "uuid");

  public QemuArgument {
    checkOption(option);
    if (value.filter(each -> each.length() > LONGEST_VALUE || each.chars().anyMatch(Character::isISOControl))
        .isPresent()) {
      throw new IllegalArgumentException(
          "the value of QEMU's option '%s' is longer than %d characters, or has control characters".formatted(option,
              LONGEST_VALUE));
    }
  }

  /**
   * From what an operator writes.
   *
   * @param text OPTION or OPTION=VALUE
   * @throws IllegalArgumentException if it is not that, or an option that the agent gives
   */
  static QemuArgument parse(String text) {
    int equals = text.indexOf('=');
    return equals < 0
        ? new QemuArgument(text, Optional.empty())
        : new QemuArgument(text.substring(0, equals), Optional.of(text.substring(equals + 1)));
  }

  /**
   * The names of options that a host allows.
   *
   * @param text separated by commas
   * @throws IllegalArgumentException if one is not a name, or an option that the agent gives
   */
  public static Set<String> parseAllowed(String text) {
    Set<String> allowed = new TreeSet<>();
    for (String each : Arrays.stream(text.split(",")).map(String::strip).filter(it -> !it.isEmpty()).toList()) {
      checkOption(each);
      allowed.add(each);
    }
    return allowed;
  }

  private static void checkOption(String option) {
    if (!OPTION.matcher(option).matches()) {
      throw new IllegalArgumentException(
          "'%s' is not the name of an option of QEMU without its dash, such as rtc".formatted(option));
    }
    if (OF_THE_AGENT.contains(option)) {
      throw new IllegalArgumentException("QEMU's option '%s' is one that the agent gives itself".formatted(option));
    }
  }

  List<String> argv() {
    return value.map(each -> List.of("-" + option, each)).orElseGet(() -> List.of("-" + option));
  }

  @Override
  public String toString() {
    return value.map(each -> option + "=" + each).orElse(option);
  }
}
