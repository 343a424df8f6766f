package dev.pageferry.agent.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.service.Slot.State;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Golden bytes computed by another program, with the checksum bit by bit. */
final class SlotTest {
  private static final String TAKEN = "d7fe8fa8" + "01030500" + "0807060504030201" + "6b6579" + "00".repeat(45)
      + "01020304ff" + "00".repeat(187);
  private static final String DELETED = "88d9172b" + "02000000" + "0900000000000000" + "00".repeat(240);

  @Test
  void aTakenSlotIsWrittenLittleEndianWithItsChecksum() {
    Slot slot = new Slot(State.TAKEN, bytes("6b6579"), bytes("01020304ff"), 0x0102030405060708L);

    assertThat(HexFormat.of().formatHex(slot.encode())).isEqualTo(TAKEN);
  }

  @Test
  void aDeletedSlotKeepsItsVersionOnly() {
    Slot slot = new Slot(State.DELETED, new byte[0], new byte[0], 9);

    assertThat(HexFormat.of().formatHex(slot.encode())).isEqualTo(DELETED);
  }

  @Test
  void slotsAreRead() throws DamagedException {
    Slot taken = Slot.decode(bytes(TAKEN));
    assertThat(taken.state()).isEqualTo(State.TAKEN);
    assertThat(taken.key()).isEqualTo(bytes("6b6579"));
    assertThat(taken.value()).isEqualTo(bytes("01020304ff"));
    assertThat(taken.version()).isEqualTo(0x0102030405060708L);
    assertThat(taken.isFor(bytes("6b6579"))).isTrue();
    assertThat(taken.isFor(bytes("6b65"))).isFalse();
    assertThat(taken.isFor(bytes("6b657900"))).isFalse();

    Slot deleted = Slot.decode(bytes(DELETED));
    assertThat(deleted.state()).isEqualTo(State.DELETED);
    assertThat(deleted.version()).isEqualTo(9);
    assertThat(deleted.isFor(new byte[0])).isFalse();

    assertThat(Slot.decode(new byte[256]).state()).isEqualTo(State.FREE);
  }

  @Test
  void theLongestKeyAndValueFit() throws DamagedException {
    Slot slot = Slot.decode(new Slot(State.TAKEN, filled(48, 0xAA), filled(192, 0xBB), -1).encode());

    assertThat(slot.key()).isEqualTo(filled(48, 0xAA));
    assertThat(slot.value()).isEqualTo(filled(192, 0xBB));
    assertThat(slot.version()).isEqualTo(-1);
  }

  @Test
  void everySingleBitOfATakenSlotIsCovered() {
    refusesEveryFlippedBit(TAKEN);
  }

  @Test
  void everySingleBitOfADeletedSlotIsCovered() {
    refusesEveryFlippedBit(DELETED);
  }

  @Test
  void everySingleBitOfAFreeSlotIsCovered() {
    refusesEveryFlippedBit("00".repeat(256));
  }

  private static void refusesEveryFlippedBit(String slot) {
    for (int bit = 0; bit < 256 * 8; bit++) {
      byte[] bytes = bytes(slot);
      bytes[bit / 8] ^= (byte) (1 << bit % 8);

      assertThatThrownBy(() -> Slot.decode(bytes)).as("bit %d", bit).isInstanceOf(DamagedException.class);
    }
  }

  @ParameterizedTest
  @CsvSource({"4, 00", "4, 03", "4, ff", "5, 31", "5, ff", "6, c1", "7, 01"})
  void aSlotThatNobodyCanHaveWrittenIsDamagedThoughItsChecksumIsRight(int offset, String other) {
    byte[] bytes = bytes(TAKEN);
    bytes[offset] = bytes(other)[0];
    CRC32C checksum = new CRC32C();
    checksum.update(bytes, 4, 252);
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(0, (int) checksum.getValue());

    assertThatThrownBy(() -> Slot.decode(bytes)).isInstanceOf(DamagedException.class);
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex);
  }

  private static byte[] filled(int length, int value) {
    byte[] bytes = new byte[length];
    Arrays.fill(bytes, (byte) value);
    return bytes;
  }
}
