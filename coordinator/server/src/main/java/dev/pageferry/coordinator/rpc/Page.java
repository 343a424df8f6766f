package dev.pageferry.coordinator.rpc;

import com.google.protobuf.MessageLite;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A part of a list that fits into a gRPC message. The token is the key of its last element: so a list that changes between two
 * pages neither repeats nor misses what stays.
 *
 * @param next for the rest; empty: this was all
 */
record Page<T extends MessageLite>(List<T> elements, Optional<String> next) {
  /** A message may have 4 MiB. The rest is room for an element that is large, and for the other fields. */
  private static final int MAX_BYTES = 2 << 20;

  /**
   * @param key by whose order the list is told, different for each element
   * @param size how many elements at most; 0 or less: all of them, whatever the size
   * @param token of the page before; empty: from the beginning
   */
  static <T extends MessageLite> Page<T> of(List<T> all, Function<T, String> key, int size, String token) {
    List<T> rest = all.stream().sorted(Comparator.comparing(key)).filter(each -> key.apply(each).compareTo(token) > 0)
        .toList();
    if (size <= 0) {
      return new Page<>(rest, Optional.empty());
    }
    List<T> page = new ArrayList<>();
    long bytes = 0;
    for (T each : rest) {
      bytes += each.getSerializedSize();
      if (page.size() == size || !page.isEmpty() && bytes > MAX_BYTES) {
        return new Page<>(page, Optional.of(key.apply(page.getLast())));
      }
      page.add(each);
    }
    return new Page<>(page, Optional.empty());
  }

  /** Puts it into an answer. */
  void into(Consumer<List<T>> list, Consumer<String> nextToken) {
    list.accept(elements);
    next.ifPresent(nextToken);
  }
}
