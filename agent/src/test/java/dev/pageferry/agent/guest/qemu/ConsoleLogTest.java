package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConsoleLogTest {
  @TempDir
  Path directory;

  @Test
  void aLongOneBeginsAnewAndWhoeverWritesAtItsEndGoesOn() throws IOException {
    Path file = directory.resolve("console.log");
    try (OutputStream guest = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      guest.write(new byte[(int) ConsoleLog.LONGEST]);
      ConsoleLog.shorten(file);
      assertThat(file).hasSize(ConsoleLog.LONGEST);

      guest.write('x');
      ConsoleLog.shorten(file);
      guest.write("count 1".getBytes(US_ASCII));
    }
    assertThat(file).hasContent("count 1");
  }

  @Test
  void oneThatIsNotThereIsLeftAlone() {
    ConsoleLog.shorten(directory.resolve("none"));
    assertThat(directory).isEmptyDirectory();
  }
}
