package dev.pageferry.common.backup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SealedFileTest {
  @TempDir
  Path directory;

  private static byte[] sealed(byte[] contents) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    SealedFile.Writer writer = SealedFile.Writer.to(out);
    writer.write(contents);
    writer.seal();
    return out.toByteArray();
  }

  private byte[] read(byte[] file) throws IOException {
    return SealedFile.read(Files.write(directory.resolve("file"), file), in -> {
      byte[] all = in.readAllBytes();
      return Arrays.copyOf(all, all.length - 32);
    });
  }

  @Test
  void theBytesOfAFileAreThese() throws Exception {
    // printf 'PFBACKUPabc' | sha256sum
    assertThat(HexFormat.of().formatHex(sealed("abc".getBytes(StandardCharsets.US_ASCII)))).isEqualTo(
        "50464241434b5550616263" + "0325e042d9be03564bd209c53b432642f635a71475cf6e15659c33f8ebf7ca00");
  }

  @Test
  void contentsComeBackAsTheyWere() throws Exception {
    byte[] contents = new byte[200_000];
    new Random(1).nextBytes(contents);
    assertThat(read(sealed(contents))).isEqualTo(contents);
    assertThat(read(sealed(new byte[0]))).isEmpty();
  }

  @Test
  void everyBitAndEveryByteThatIsMissingShows() throws Exception {
    byte[] file = sealed(new byte[]{1, 2, 3});
    for (int i = 0; i < file.length * 8; i++) {
      byte[] wrong = file.clone();
      wrong[i / 8] ^= (byte) (1 << i % 8);
      assertThatThrownBy(() -> read(wrong)).as("bit %d", i).isInstanceOf(IOException.class)
          .hasMessageContaining("file");
    }
    for (int i = 0; i < file.length; i++) {
      byte[] cut = Arrays.copyOf(file, i);
      assertThatThrownBy(() -> read(cut)).as("%d bytes", i).isInstanceOf(IOException.class);
    }
    assertThatThrownBy(() -> read(Arrays.copyOf(file, file.length + 1))).hasMessageContaining("damaged");
  }
}
