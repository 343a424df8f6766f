package dev.pageferry.agent.disk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class LeaseRecordTest {
  private static final LeaseRecord LEASE = new LeaseRecord(LeaseRecord.State.RELEASED, "vm-1", "host-a", "life-1",
      "boot-1", 3, "move-1", 17, Duration.ofSeconds(10));

  @Test
  void aLeaseIsOneSectorThatAnOperatorCanRead() throws Exception {
    byte[] bytes = LEASE.encode().array();
    assertThat(bytes).hasSize(512);
    String text = new String(bytes, StandardCharsets.US_ASCII);
    assertThat(text.lines().limit(11)).containsExactly("pageferry-lease 1", "state=released", "vm=vm-1", "host=host-a",
        "incarnation=life-1", "boot=boot-1", "epoch=3", "migration=move-1", "counter=17", "millis=10000",
        "crc32c=c39effd4");
    assertThat(LeaseRecord.decode(bytes)).isEqualTo(LEASE);
  }

  @Test
  void theLongestNamesFit() throws Exception {
    String longest = "x".repeat(64);
    LeaseRecord lease = new LeaseRecord(LeaseRecord.State.RELEASED, longest, longest, "f".repeat(36), "b".repeat(36),
        Long.MAX_VALUE, "m".repeat(36), Long.MAX_VALUE, Duration.ofHours(1));
    assertThat(LeaseRecord.decode(lease.encode().array())).isEqualTo(lease);
  }

  @Test
  void everyFlippedBitInFrontOfThePaddingIsFound() {
    byte[] bytes = LEASE.encode().array();
    int end = new String(bytes, StandardCharsets.US_ASCII).indexOf("crc32c=") + "crc32c=".length() + 8;
    for (int i = 0; i < end; i++) {
      for (int bit = 0; bit < 8; bit++) {
        byte[] damaged = bytes.clone();
        damaged[i] ^= (byte) (1 << bit);
        assertThatThrownBy(() -> LeaseRecord.decode(damaged)).isInstanceOf(DiskException.class);
      }
    }
  }

  @Test
  void whateverTheBytesAreNothingWorseThanARefusalComesOfIt() {
    Random random = new Random(5);
    for (int i = 0; i < 2000; i++) {
      byte[] noise = new byte[random.nextInt(600)];
      random.nextBytes(noise);
      byte[] begun = LEASE.encode().array().clone();
      System.arraycopy(noise, 0, begun, random.nextInt(100), Math.min(noise.length, 400));
      for (byte[] each : new byte[][]{noise, begun}) {
        try {
          assertThat(LeaseRecord.decode(each)).isNotNull();
        } catch (DiskException e) {
          assertThat(e.getMessage()).isNotBlank();
        }
      }
    }
  }
}
