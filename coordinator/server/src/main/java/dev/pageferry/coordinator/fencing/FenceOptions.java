package dev.pageferry.coordinator.fencing;

import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What may be told to a fence agent. It reads lines of {@code name=value}: whatever could be another line is refused. */
final class FenceOptions {
  static final int MAX_VALUE_CHARS = 1024;
  private static final int MAX_DEVICES = 8;
  private static final int MAX_OPTIONS = 32;
  private static final String AGENT = "fence_[a-z0-9_]{1,50}";
  private static final String NAME = "[a-z][a-z0-9_-]{0,49}";
  /** What this program says itself. */
  private static final Set<String> OURS = Set.of("action", "option");
  /** Fence agents run what these name, or write to it: an operator is not the user of this program. */
  private static final List<String> PROGRAMS = List.of("_script", "_path", "ssh_options", "debug", "debug_file",
      "logfile");
  /** With these an agent says what is not so, or says too much. */
  private static final Set<String> MISLEADING = Set.of("missing_as_off", "verbose", "verbose_level", "quiet");
  /** What they say says nothing of power: they shut a host out of storage or of a network, do nothing, or wait for a dump. */
  private static final Set<String> NOT_OF_POWER = Set.of("fence_scsi", "fence_mpath", "fence_brocade",
      "fence_cisco_mds",
      "fence_ifmib", "fence_sanbox2", "fence_dummy", "fence_kdump");
  private static final int MAX_BYTES = 16 << 10;
  private static final List<String> SECRETS = List.of("passw", "passphrase", "pwd", "secret", "token", "api_key",
      "apikey", "community", "hexadecimal_kg");

  private FenceOptions() {
  }

  /** @throws RequestException naming the first thing that is wrong */
  static void check(List<FenceDevice> devices) throws RequestException {
    if (devices.size() > MAX_DEVICES) {
      throw invalid("a host has at most %d fence devices, not %d", MAX_DEVICES, devices.size());
    }
    for (FenceDevice each : devices) {
      if (!each.getAgent().matches(AGENT)) {
        throw invalid("'%s' is not the name of a fence agent, such as fence_ipmilan", printable(each.getAgent()));
      }
      if (NOT_OF_POWER.contains(each.getAgent())) {
        throw invalid("%s does not switch the power of a host, and so does not prove that a host is off",
            each.getAgent());
      }
      if (bytes(each) > MAX_BYTES) {
        throw invalid("the options of a fence device have at most %d bytes, not %d", MAX_BYTES, bytes(each));
      }
      if (each.getOptionsCount() + each.getOptionFilesCount() > MAX_OPTIONS) {
        throw invalid("a fence device has at most %d options", MAX_OPTIONS);
      }
      for (Map.Entry<String, String> option : each.getOptionsMap().entrySet()) {
        checkName(option.getKey());
        if (each.containsOptionFiles(option.getKey())) {
          throw invalid("option %s of %s is given by itself and by a file", option.getKey(), each.getAgent());
        }
        if (isSecret(option.getKey())) {
          throw invalid(
              "option %s of %s is a secret, which would be seen by whoever may read; put it into a file of the"
                  + " coordinator's machine and give '--fence-option-file %s=FILE'",
              option.getKey(), each.getAgent(),
              option.getKey());
        }
        requireOneLine(option.getKey(), option.getValue());
      }
      for (Map.Entry<String, String> file : each.getOptionFilesMap().entrySet()) {
        checkName(file.getKey());
        requireOneLine(file.getKey(), file.getValue());
        if (!file.getValue().startsWith("/")) {
          throw invalid("file '%s' of option %s is not an absolute path on the coordinator's machine", file.getValue(),
              file.getKey());
        }
      }
    }
  }

  /** Without the values of what should not have been sent, for those who read what was asked for. */
  static FenceDevice redacted(FenceDevice device) {
    FenceDevice.Builder redacted = device.toBuilder();
    device.getOptionsMap().keySet().stream().filter(FenceOptions::isSecret)
        .forEach(each -> redacted.putOptions(each, "***"));
    return redacted.build();
  }

  private static void checkName(String name) throws RequestException {
    if (!name.matches(NAME)) {
      throw invalid("'%s' is not the name of an option of a fence agent, such as ip", printable(name));
    }
    // As fence agents take it.
    String plain = name.replace('-', '_');
    if (OURS.contains(plain)) {
      throw invalid("option %s is given to fence agents by the coordinator itself; leave it out", name);
    }
    if (MISLEADING.contains(plain)) {
      throw invalid("option %s has an agent say what is not so, or too much; it is not taken", name);
    }
    if (PROGRAMS.stream().anyMatch(each -> each.startsWith("_") ? plain.endsWith(each) : plain.equals(each))) {
      throw invalid("option %s names what a fence agent runs or writes on the coordinator's machine; it is not taken",
          name);
    }
  }

  /** So that the pipe takes them all, with the secrets, also from one that does not read. */
  private static int bytes(FenceDevice device) {
    return device.getOptionsMap().entrySet().stream()
        .mapToInt(each -> (each.getKey() + each.getValue()).getBytes(StandardCharsets.UTF_8).length).sum();
  }

  private static boolean isSecret(String name) {
    String plain = name.toLowerCase(Locale.ROOT).replace('-', '_');
    return SECRETS.stream().anyMatch(plain::contains);
  }

  private static void requireOneLine(String name, String value) throws RequestException {
    if (value.length() > MAX_VALUE_CHARS || !isOneLine(value)) {
      throw invalid("the value of option %s is not one line of at most %d characters", name, MAX_VALUE_CHARS);
    }
  }

  /** Whether nothing in it could end a line, or be taken for more than text. */
  static boolean isOneLine(String value) {
    return value.codePoints().noneMatch(each -> Character.isISOControl(each) || each == 0x2028 || each == 0x2029);
  }

  private static String printable(String text) {
    String shown = text.codePoints().map(each -> Character.isISOControl(each) ? '?' : each)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
    return shown.length() <= 60 ? shown : shown.substring(0, 60) + "...";
  }

  private static RequestException invalid(String message, Object... values) {
    return new RequestException(Kind.INVALID, message, values);
  }
}
