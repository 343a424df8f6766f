package dev.pageferry.common.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SettingsTest {
  private static final List<String> NAMES = List.of("host-id", "memory", "migration-listen");
  private static final Function<String, String> TEXT = Function.identity();

  @TempDir
  private Path directory;

  @ParameterizedTest
  @CsvSource(nullValues = "-", value = {"flag, env, file, flag", "flag, -, file, flag", "flag, env, -, flag",
      "flag, -, -, flag", "-, env, file, env", "-, env, -, env", "-, -, file, file", "-, -, -, default"})
  void aFlagWinsOverTheEnvironmentOverTheFileOverTheDefault(String flag, String variable, String entry,
      String expected) throws Exception {
    Settings settings = new Settings(NAMES, flag == null ? Map.of() : Map.of("migration-listen", flag),
        variable == null ? Map.of() : Map.of("FERRY_MIGRATION_LISTEN", variable),
        entry == null ? null : file("migration-listen: " + entry));

    assertThat(settings.optional("migration-listen", "default", TEXT)).isEqualTo(expected);
    assertThat(settings.maybe("migration-listen", TEXT).orElse("default")).isEqualTo(expected);
    settings.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"true", "no", "010", "12_3", "1e3", "2026-11-28", "4096"})
  void valuesOfTheFileAreReadAsTheirText(String value) throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file("host-id: " + value + "\n"));

    assertThat(settings.optional("host-id", "", TEXT)).isEqualTo(value);
    settings.check();
  }

  @Test
  void aSettingThatIsInTheFileTwiceIsRefused() throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file("memory: 1\nmemory: 2\n"));

    assertThatThrownBy(settings::check).hasMessageContaining("'memory' is there twice");
  }

  @Test
  void aFileWithoutEndIsRefused() {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), Path.of("/dev/zero"));

    assertThatThrownBy(settings::check).hasMessageContaining("/dev/zero").hasMessageContaining("larger than 1048576");
  }

  @Test
  void variablesOfOtherProgramsAreLeftAlone() {
    Settings settings = new Settings(NAMES, Map.of(), Map.of("FERRY_COLOUR", "red", "MEMORY", "1", "FERRY_", "x"),
        null);

    assertThat(settings.maybe("memory", TEXT)).isEmpty();
    assertThatCode(settings::check).doesNotThrowAnyException();
  }

  @ParameterizedTest
  @CsvSource({"migration-lsten, migration-listen", "memmory, memory", "hostid, host-id"})
  void anUnknownNameInTheFileIsToldTheNearestOne(String written, String nearest) throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file(written + ": 1"));

    assertThatThrownBy(settings::check).isInstanceOf(SettingsException.class)
        .hasMessageContaining("unknown setting '%s'; did you mean '%s'?", written, nearest);
  }

  @Test
  void allProblemsAreNamedAtOnceALineEach() throws Exception {
    Path file = file("memmory: 1\nhost-id: [a, b]\n");
    Settings settings = new Settings(NAMES, Map.of("memory", "lots"), Map.of(), file);
    settings.required("host-id", "", TEXT);
    settings.optional("memory", 0L, text -> {
      throw new IllegalArgumentException("'%s' is no size".formatted(text));
    });
    settings.problem("two settings exclude each other");

    assertThatThrownBy(settings::check).isInstanceOf(SettingsException.class)
        .hasMessage(String.join(System.lineSeparator(), file + ": unknown setting 'memmory'; did you mean 'memory'?",
            file + ": 'host-id' is not a single value", "--host-id is missing", "--memory: 'lots' is no size",
            "two settings exclude each other"));
  }

  @Test
  void aSettingThatMustBeGivenMayComeFromAnywhere() throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of("FERRY_HOST_ID", "a"), null);

    assertThat(settings.required("host-id", "", TEXT)).isEqualTo("a");
    settings.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory", "- memory\n- host-id", "5"})
  void aFileThatIsNoMappingIsRefused(String contents) throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file(contents));

    assertThatThrownBy(settings::check).hasMessageContaining("not a mapping of settings to values");
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory: [1", "\tmemory: 1", "memory: !!java.net.URL [\"http://localhost\"]"})
  void aFileThatIsNoPlainYamlIsRefused(String contents) throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file(contents));

    assertThatThrownBy(settings::check).hasMessageContaining("not YAML");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "# nothing yet\n", "---\n"})
  void anEmptyFileSetsNothing(String contents) throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file(contents));

    assertThat(settings.maybe("memory", TEXT)).isEmpty();
    settings.check();
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory:", "memory: ~", "memory: {a: 1}", "memory: [1]"})
  void aValueThatIsNotASingleOneIsRefused(String contents) throws Exception {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), file(contents));

    assertThatThrownBy(settings::check).hasMessageContaining("'memory' is not a single value");
  }

  @Test
  void aFileThatIsNotThereIsAProblem() {
    Settings settings = new Settings(NAMES, Map.of(), Map.of(), directory.resolve("nowhere.yaml"));

    assertThatThrownBy(settings::check).hasMessageContaining("nowhere.yaml does not exist");
  }

  private Path file(String contents) throws IOException {
    return Files.writeString(directory.resolve("settings.yaml"), contents);
  }
}
