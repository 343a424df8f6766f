package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.guest.GuestConsole.Output;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ConsoleBufferTest {
  private static final int MOST = 64 << 10;
  private final ConsoleBuffer buffer = new ConsoleBuffer(MOST);

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Test
  void theNewestBytesAreThereUnderTheirNumbers() {
    Random random = new Random(1);
    byte[] all = new byte[1 << 20];
    random.nextBytes(all);
    int written = 0;
    while (written < all.length) {
      int next = Math.min(all.length - written, random.nextInt(3 * MOST / 2));
      byte[] piece = new byte[next + 7];
      System.arraycopy(all, written, piece, 0, next);
      buffer.add(piece, next);
      written += next;
      int kept = Math.min(written, MOST);
      Output output = buffer.from(0, all.length);
      assertThat(output.next()).isEqualTo(written);
      assertThat(output.data()).hasSizeBetween(Math.min(kept, 16 << 10), MOST);
      assertThat(output.data()).isEqualTo(java.util.Arrays.copyOfRange(all, (int) output.offset(), written));
    }
    assertThat(buffer.from(0, all.length).data()).hasSize(MOST);
  }

  @Test
  void nothingIsBeyondTheEnd() {
    buffer.add(bytes("abc"), 3);
    assertThat(buffer.from(1, 1).data()).containsExactly('b');
    assertThat(buffer.from(3, 10).data()).isEmpty();
    assertThat(buffer.from(Long.MAX_VALUE, 10)).extracting(Output::offset).isEqualTo(3L);
    assertThat(buffer.from(-5, 10).data()).containsExactly('a', 'b', 'c');
  }

  @Test
  void aStreamThatBeganElsewhereGoesOnUnderItsNumbers() {
    buffer.add(bytes("of another"), 10);
    buffer.begin(1000, bytes("xyz"));
    buffer.add(bytes("!"), 1);
    Output output = buffer.from(0, 100);
    assertThat(output.offset()).isEqualTo(1000);
    assertThat(output.data()).containsExactly('x', 'y', 'z', '!');
  }
}
