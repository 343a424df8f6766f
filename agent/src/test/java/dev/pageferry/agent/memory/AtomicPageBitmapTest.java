package dev.pageferry.agent.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class AtomicPageBitmapTest {
  @ParameterizedTest
  @CsvSource({"0, 0", "0, 1", "0, 64", "0, 65", "1, 63", "63, 64", "63, 65", "64, 128", "10, 200", "127, 129", "0, 200",
      "199, 200", "200, 200"})
  void aRangeHasItsPagesAndNoOthers(long from, long end) {
    AtomicPageBitmap pages = new AtomicPageBitmap(200);

    pages.addRange(from, end);

    PageBitmap seen = pagesOf(pages, 200);
    for (long page = 0; page < 200; page++) {
      assertThat(seen.contains(page)).as("page %d", page).isEqualTo(page >= from && page < end);
    }
  }

  @Test
  void singlePagesAndRangesAddUp() {
    AtomicPageBitmap pages = new AtomicPageBitmap(200);
    pages.add(5);
    pages.addRange(4, 7);
    pages.add(199);
    pages.add(5);

    PageBitmap seen = new PageBitmap(200);
    seen.add(100);
    pages.addTo(seen);

    assertThat(seen.cardinality()).isEqualTo(5);
    assertThat(seen.contains(100)).isTrue();
    assertThat(seen.contains(199)).isTrue();
  }

  @Test
  void pagesOutsideAreRefused() {
    AtomicPageBitmap pages = new AtomicPageBitmap(128);

    assertThatThrownBy(() -> pages.add(128)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> pages.add(-1)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> pages.addRange(127, 129)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void threadsThatAddToTheSameWordsLoseNothing() throws Exception {
    int threads = 4;
    int pageCount = 64 * 256;
    AtomicPageBitmap pages = new AtomicPageBitmap(pageCount);
    CyclicBarrier start = new CyclicBarrier(threads);
    try (ExecutorService workers = Executors.newFixedThreadPool(threads)) {
      List<Future<?>> running = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        int first = thread;
        running.add(workers.submit(() -> {
          start.await();
          for (int page = first; page < pageCount; page += threads) {
            pages.add(page);
          }
          return null;
        }));
      }
      for (Future<?> each : running) {
        each.get();
      }
    }

    assertThat(pagesOf(pages, pageCount).cardinality()).isEqualTo(pageCount);
  }

  private static PageBitmap pagesOf(AtomicPageBitmap pages, long pageCount) {
    PageBitmap seen = new PageBitmap(pageCount);
    pages.addTo(seen);
    return seen;
  }
}
