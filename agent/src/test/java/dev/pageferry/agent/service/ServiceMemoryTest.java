package dev.pageferry.agent.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.pageferry.common.page.PageSize;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ServiceMemoryTest {
  private record Place(String name, long from, long bytes) {
    long end() {
      return from + bytes;
    }
  }

  @ParameterizedTest
  @CsvSource({"4194304, 1, 1024", "4194304, 8, 1024", "4198400, 1, 1024", "8384512, 2, 1024", "8388608, 8, 2048",
      "268435456, 3, 65536", "268431360, 1, 32768", "1073741824, 8, 65536", "8796093018112, 8, 65536"})
  void nothingOverlapsAndAllIsBehindTheProgramAndInsideRam(long memoryBytes, int cards, int slots) {
    ServiceMemory layout = ServiceMemory.of(memoryBytes, cards);
    long programBytes = PageSize.bytesOf(layout.firstPage());
    List<Place> places = places(layout);
    places.sort(Comparator.comparingLong(Place::from));

    assertThat(layout.slots()).isEqualTo(slots);
    long end = programBytes;
    for (Place each : places) {
      assertThat(each.from()).as("%s", each).isGreaterThanOrEqualTo(end);
      end = each.end();
    }
    assertThat(end).isLessThanOrEqualTo(memoryBytes);
    assertThat(PageSize.bytesOf(layout.firstPage() + layout.pages())).isEqualTo(memoryBytes);
    assertThat(programBytes).as("most of RAM is the program's").isGreaterThan(memoryBytes / 4 * 3);
  }

  private static List<Place> places(ServiceMemory layout) {
    List<Place> places = new ArrayList<>();
    for (int card = 0; card < layout.cards(); card++) {
      places.add(new Place("received(%d)".formatted(card), layout.received(card), Long.BYTES));
      for (int frame = 0; frame < ServiceMemory.RING_BUFFERS; frame++) {
        places.add(new Place("buffer(%d, %d)".formatted(card, frame), layout.buffer(card, frame),
            ServiceMemory.BUFFER_BYTES));
      }
    }
    places.add(new Place("changes", layout.changes(), Long.BYTES));
    for (int i = 0; i < ServiceMemory.SESSIONS; i++) {
      places.add(new Place("session(%d)".formatted(i), layout.session(i), Session.BYTES));
    }
    for (int i = 0; i < layout.slots(); i++) {
      places.add(new Place("slot(%d)".formatted(i), layout.slot(i), Slot.BYTES));
    }
    return places;
  }

  @Test
  void aRingBeginsAgainBehindItsLastBuffer() {
    ServiceMemory layout = ServiceMemory.of(4 << 20, 2);

    for (int card = 0; card < 2; card++) {
      assertThat(layout.buffer(card, 32)).isEqualTo(layout.buffer(card, 0));
      assertThat(layout.buffer(card, 65)).isEqualTo(layout.buffer(card, 1)).isNotEqualTo(layout.buffer(card, 0));
      assertThat(layout.buffer(card, -1)).as("whatever the counter holds").isEqualTo(layout.buffer(card, 31));
      assertThat(layout.buffer(card, Long.MAX_VALUE)).isEqualTo(layout.buffer(card, 31));
    }
  }

  @Test
  void aFrameLiesOnOnePage() {
    ServiceMemory layout = ServiceMemory.of(4 << 20, 1);

    for (int frame = 0; frame < ServiceMemory.RING_BUFFERS; frame++) {
      long first = layout.buffer(0, frame) / PageSize.BYTES;
      assertThat((layout.buffer(0, frame) + 1513) / PageSize.BYTES).isEqualTo(first);
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {4096, 1 << 20, 4 << 20, 1L << 40})
  void aVmWithoutCardsGivesNothing(long memoryBytes) {
    ServiceMemory layout = ServiceMemory.of(memoryBytes, 0);

    assertThat(PageSize.bytesOf(layout.firstPage())).isEqualTo(memoryBytes);
    assertThat(layout.pages()).isZero();
  }

  @ParameterizedTest
  @ValueSource(longs = {4096, (4 << 20) - 4096})
  void tooLittleRamForCardsIsRefused(long memoryBytes) {
    assertThatIllegalArgumentException().isThrownBy(() -> ServiceMemory.of(memoryBytes, 1))
        .withMessageContaining("4 MiB");
  }
}
