package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Descriptions of firmware, as packages have them. */
class FirmwareFilesTest {
  @TempDir
  Path directory;

  /** Firmware of three bytes with two bytes of variables. @param feature such as {@code "secure-boot"}, with its quotes, or nothing */
  static void describe(Path directory, String name, String machines, String feature) throws IOException {
    Path descriptions = Files.createDirectories(directory.resolve("firmware"));
    Path code = Files.writeString(directory.resolve(name + ".code"), "abc");
    Path variables = Files.writeString(directory.resolve(name + ".vars"), "de");
    Files.writeString(descriptions.resolve(name), """
        {"description": "for a test", "interface-types": ["bios", "uefi"],
         "mapping": {"device": "flash", "executable": {"filename": "%s", "format": "raw"},
                     "nvram-template": {"filename": "%s", "format": "raw"}},
         "targets": [{"architecture": "aarch64", "machines": ["*"]}, {"architecture": "x86_64", "machines": ["%s"]}],
         "features": [%s], "tags": []}
        """.formatted(code, variables, machines, feature));
  }

  private String found(String machine, String... directories) throws IOException {
    return FirmwareFiles.find(List.of(directories).stream().map(directory::resolve).toList(), machine)
        .map(each -> each.code().getFileName().toString()).orElse("none");
  }

  @Test
  void theFirstInTheOrderOfNamesThatIsForTheMachineCounts() throws Exception {
    describe(directory, "60-second.json", "pc-q35-*", "");
    describe(directory, "50-first.json", "pc-q35-*", "\"acpi-s3\"");
    describe(directory, "40-other.json", "pc-i440fx-*", "");

    assertThat(found("pc-q35-10.0", "firmware")).isEqualTo("50-first.json.code");
    assertThat(found("pc-i440fx-10.0", "firmware")).isEqualTo("40-other.json.code");
    assertThat(found("microvm-10.0", "firmware", "not-there")).isEqualTo("none");
  }

  @Test
  void whatNeedsSecureBootOrCannotBeReadIsLeftOut() throws Exception {
    describe(directory, "10-secure.json", "pc-q35-*", "\"requires-smm\", \"secure-boot\"");
    describe(directory, "20-gone.json", "pc-q35-*", "");
    Files.delete(directory.resolve("20-gone.json.code"));
    for (String text : List.of("", "{", "[]", "{\"interface-types\": [\"uefi\"]}", "null")) {
      Files.writeString(directory.resolve("firmware/30-odd.json"), text);
      assertThat(found("pc-q35-10.0", "firmware")).as(text).isEqualTo("none");
    }
  }

  @Test
  void anAdministratorsFileOfTheSameNameCountsAndHidesWhereItIsEmpty() throws Exception {
    describe(directory, "50-first.json", "pc-q35-*", "");
    describe(directory, "60-second.json", "pc-q35-*", "");
    Files.createFile(Files.createDirectory(directory.resolve("etc")).resolve("50-first.json"));

    assertThat(found("pc-q35-10.0", "firmware", "etc")).isEqualTo("60-second.json.code");
  }
}
