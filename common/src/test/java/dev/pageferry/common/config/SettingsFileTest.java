package dev.pageferry.common.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files with groups of settings. */
final class SettingsFileTest {
  private static final List<String> NAMES = List.of("color", "size");
  private static final SettingsFile.Groups GROUPS = new SettingsFile.Groups("boxes", List.of("color", "weight"));

  @TempDir
  Path directory;

  private SettingsFile read(String text) throws IOException {
    return SettingsFile.read(Files.writeString(directory.resolve("settings.yaml"), text), NAMES, GROUPS);
  }

  @Test
  void groupsAreReadInTheirOrderAndMayBeEmpty() throws IOException {
    SettingsFile file = read("size: 010\nboxes:\n  b:\n    color: no\n    weight: 1\n  a:\n");
    assertThat(file.problems()).isEmpty();
    assertThat(file.values()).isEqualTo(Map.of("size", "010"));
    assertThat(file.groups().keySet()).containsExactly("b", "a");
    assertThat(file.groups()).isEqualTo(Map.of("b", Map.of("color", "no", "weight", "1"), "a", Map.of()));
    assertThat(read("boxes:\n").groups()).isEmpty();
  }

  @Test
  void whatIsWrongInAGroupNamesTheGroup() throws IOException {
    String where = directory.resolve("settings.yaml") + ": ";
    assertThat(read("boxs: 1\nboxes:\n  a:\n    wieght: 1\n    color: [red]\n  b: 7\n  a: {}\n").problems())
        .containsExactly(where + "unknown setting 'boxs'; did you mean 'boxes'?",
            where + "boxes.a: unknown setting 'wieght'; did you mean 'weight'?",
            where + "boxes.a: 'color' is not a single value", where + "boxes.b: not a mapping of settings to values",
            where + "boxes: 'a' is there twice");
    assertThat(read("boxes: 1\n").problems()).containsExactly(where + "boxes: not a mapping of settings to values");
  }

  @Test
  void aFileWithOtherValuesKeepsItsProblems() throws IOException {
    SettingsFile file = read("size: 1\nboxes: 1\n").with(Map.of("size", "2"));
    assertThat(Settings.of(NAMES, Map.of(), Map.of(), file).optional("size", "", each -> each)).isEqualTo("2");
    assertThat(file.problems()).hasSize(1);
  }
}
