package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

final class HostMemoryTest {
  private static final long MEBIBYTE = 1 << 20;

  private final HostMemory memory = new HostMemory(10 * MEBIBYTE);

  @Test
  void whatIsReservedIsNotFree() throws OutOfMemoryException {
    try (HostMemory.Reservation reservation = memory.reserve(4 * MEBIBYTE)) {
      assertThat(reservation).isNotNull();
      assertThat(memory.freeBytes()).isEqualTo(6 * MEBIBYTE);
      assertThat(memory.capacityBytes()).isEqualTo(10 * MEBIBYTE);
    }
    assertThat(memory.freeBytes()).isEqualTo(10 * MEBIBYTE);
  }

  @Test
  void theLastByteCanBeReserved() throws OutOfMemoryException {
    HostMemory.Reservation first = memory.reserve(9 * MEBIBYTE);
    HostMemory.Reservation second = memory.reserve(MEBIBYTE);

    assertThat(memory.freeBytes()).isZero();
    first.close();
    second.close();
  }

  @Test
  void moreThanIsFreeIsRefusedWithTheFiguresAndChangesNothing() throws OutOfMemoryException {
    HostMemory.Reservation reservation = memory.reserve(8 * MEBIBYTE);

    assertThatThrownBy(() -> memory.reserve(3 * MEBIBYTE)).isInstanceOf(OutOfMemoryException.class)
        .hasMessageContaining("3 MiB asked for").hasMessageContaining("2 MiB free");
    assertThat(memory.freeBytes()).isEqualTo(2 * MEBIBYTE);
    reservation.close();
  }

  @Test
  void aReservationIsGivenBackOnceHoweverOftenItIsClosed() throws OutOfMemoryException {
    HostMemory.Reservation one = memory.reserve(4 * MEBIBYTE);
    HostMemory.Reservation other = memory.reserve(4 * MEBIBYTE);

    one.close();
    one.close();

    assertThat(memory.freeBytes()).isEqualTo(6 * MEBIBYTE);
    other.close();
  }

  @Test
  void moreThanTheKernelHasIsRefusedWhateverTheOperatorAllowed() {
    HostMemory boundless = new HostMemory(Long.MAX_VALUE);

    assertThatThrownBy(() -> boundless.reserve(1L << 60)).isInstanceOf(OutOfMemoryException.class)
        .hasMessageContaining("kernel");
    assertThat(boundless.freeBytes()).isEqualTo(Long.MAX_VALUE);
  }
}
