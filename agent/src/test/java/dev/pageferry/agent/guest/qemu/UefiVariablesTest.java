package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.VmId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UefiVariablesTest {
  private static final int BYTES = 64;
  @TempDir
  Path directory;
  private UefiVariables variables;

  @BeforeEach
  void open() {
    variables = of("vm");
  }

  private UefiVariables of(String vm) {
    return new UefiVariables(new VmId(vm), directory, BYTES);
  }

  private static byte[] content(int with) {
    byte[] content = new byte[BYTES];
    content[0] = (byte) with;
    return content;
  }

  private List<String> names() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(each -> each.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aVmThatWasNeverStoppedHasNone() throws IOException {
    assertThat(variables.bring(1)).isEmpty();
    assertThat(names()).isEmpty();
  }

  @Test
  void whatWasKeptLastIsThereAtTheNextBootAndBelongsToItsEpochFromThenOn() throws IOException {
    variables.keep(content(1), 1);
    variables.keep(content(2), 3);
    assertThat(variables.bring(4)).contains(content(2));
    assertThat(names()).containsExactly("vm.4.uefi");
  }

  @Test
  void aHostThatLostTheVmAndKeepsItsOwnLateChangesNothing() throws IOException {
    variables.keep(content(1), 1);
    assertThat(variables.bring(2)).contains(content(1));
    variables.keep(content(9), 1);
    assertThat(variables.bring(3)).contains(content(1));
    assertThat(names()).containsExactly("vm.3.uefi");
  }

  @Test
  void aBootUnderTheSameEpochFindsWhatTheOneBeforeKept() throws IOException {
    variables.keep(content(1), 2);
    assertThat(variables.bring(2)).contains(content(1));
    assertThat(variables.bring(2)).contains(content(1));
  }

  @Test
  void whatALaterEpochKeptIsNotForAnEarlierOne() throws IOException {
    variables.keep(content(1), 5);
    assertThat(variables.bring(4)).isEmpty();
    assertThat(variables.bring(5)).contains(content(1));
  }

  @Test
  void variablesOfAnotherSizeAndOtherVmsAreNotTaken() throws IOException {
    variables.keep(new byte[BYTES - 1], 1);
    of("vm.1").keep(content(7), 1);
    of("v").keep(content(8), 1);
    Files.write(directory.resolve("vm.1.state"), content(9));
    Files.write(directory.resolve("vm.99999999999999999999.uefi"), content(9));
    Files.write(directory.resolve("vm.2.uefi.new"), content(9));
    assertThat(variables.bring(3)).isEmpty();
    assertThat(of("vm.1").bring(2)).contains(content(7));
  }
}
