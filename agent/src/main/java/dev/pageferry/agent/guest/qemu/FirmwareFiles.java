package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * UEFI firmware that this host has, as its packages describe it to programs which use QEMU. Source: QEMU's
 * {@code docs/interop/firmware.json}.
 *
 * @param code what a machine runs
 * @param variables what its variables are at first
 */
record FirmwareFiles(Path code, Path variables) {
  private static final Logger log = LoggerFactory.getLogger(FirmwareFiles.class);
  private static final String ARCHITECTURE = "x86_64";
  /** It would need a machine that nothing but firmware can stop, or keys that are in it already. */
  private static final Set<String> NOT_OURS = Set.of("requires-smm", "secure-boot", "enrolled-keys");

  UefiFirmware sizes() throws IOException {
    return new UefiFirmware(Files.size(code), Files.size(variables));
  }

  /**
   * The first in the order of the descriptions' names; where two directories have one of that name the later counts.
   *
   * @param directories of descriptions
   * @param machine the type of machine that it is for
   */
  static Optional<FirmwareFiles> find(Iterable<Path> directories, String machine) throws IOException {
    Map<String, Path> descriptions = new TreeMap<>();
    for (Path directory : directories) {
      if (Files.isDirectory(directory)) {
        try (DirectoryStream<Path> all = Files.newDirectoryStream(directory, "*.json")) {
          all.forEach(each -> descriptions.put(each.getFileName().toString(), each));
        }
      }
    }
    for (Path each : descriptions.values()) {
      Optional<FirmwareFiles> described = described(each, machine);
      if (described.isPresent()) {
        return described;
      }
    }
    return Optional.empty();
  }

  /** Empty: it is not for such a machine, or cannot be used; an empty file is there to hide another one. */
  private static Optional<FirmwareFiles> described(Path description, String machine) {
    try {
      String text = Files.readString(description);
      return text.isBlank() ? Optional.empty() : parsed(JsonParser.parseString(text).getAsJsonObject(), machine);
    } catch (IOException | RuntimeException e) {
      log.warn("{} does not describe firmware: {}", description, e.toString());
      return Optional.empty();
    }
  }

  private static Optional<FirmwareFiles> parsed(JsonObject firmware, String machine) {
    JsonObject mapping = firmware.getAsJsonObject("mapping");
    boolean isOurs = texts(firmware.getAsJsonArray("interface-types")).contains("uefi")
        && mapping.get("device").getAsString().equals("flash")
        && texts(firmware.getAsJsonArray("features")).stream().noneMatch(NOT_OURS::contains)
        && isFor(machine, firmware.getAsJsonArray("targets"));
    if (!isOurs || !mapping.has("nvram-template")) {
      return Optional.empty();
    }
    return file(mapping, "executable")
        .flatMap(code -> file(mapping, "nvram-template").map(variables -> new FirmwareFiles(code, variables)));
  }

  private static Optional<Path> file(JsonObject mapping, String what) {
    JsonObject flash = mapping.getAsJsonObject(what);
    Path file = Path.of(flash.get("filename").getAsString());
    return flash.get("format").getAsString().equals("raw") && Files.isReadable(file)
        ? Optional.of(file)
        : Optional.empty();
  }

  private static boolean isFor(String machine, JsonArray targets) {
    return StreamSupport.stream(targets.spliterator(), false).map(JsonElement::getAsJsonObject)
        .filter(each -> each.get("architecture").getAsString().equals(ARCHITECTURE))
        .flatMap(each -> texts(each.getAsJsonArray("machines")).stream()).anyMatch(each -> matches(machine, each));
  }

  private static boolean matches(String machine, String glob) {
    return machine.matches(Pattern.quote(glob).replace("*", "\\E.*\\Q"));
  }

  private static Set<String> texts(JsonArray array) {
    return StreamSupport.stream(array.spliterator(), false).map(JsonElement::getAsString)
        .collect(Collectors.toUnmodifiableSet());
  }
}
