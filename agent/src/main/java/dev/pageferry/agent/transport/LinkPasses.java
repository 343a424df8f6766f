package dev.pageferry.agent.transport;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.Optional;

/** Which hosts may come and measure the link to this one: each once, within a time, and with no more than it was given. */
public final class LinkPasses {
  /** Of expectations at a time; the oldest goes for one more. */
  private static final int MAX = 64;
  private static final Duration LONGEST_VALID = Duration.ofMinutes(1);

  private final Ticker ticker;
  private final Deque<Expected> expected = new ArrayDeque<>();

  public LinkPasses(Ticker ticker) {
    this.ticker = ticker;
  }

  /** What a source may send: the first bound that is met ends it. */
  public record Bounds(long bytes, Duration time) {
    private static final long MOST_BYTES = 1L << 30;
    private static final Duration LONGEST = Duration.ofSeconds(5);

    public Bounds {
      if (bytes <= 0 || bytes > MOST_BYTES) {
        throw new IllegalArgumentException("%d bytes are not 1 to %d".formatted(bytes, MOST_BYTES));
      }
      if (time.toMillis() < 1 || time.compareTo(LONGEST) > 0) {
        throw new IllegalArgumentException("%d ms are not 1 to %d".formatted(time.toMillis(), LONGEST.toMillis()));
      }
    }
  }

  private record Expected(HostId source, byte[] token, Bounds bounds, Deadline expiry) {
  }

  /** A host is to come. */
  public synchronized void expect(HostId source, byte[] token, Duration valid, Bounds bounds) {
    if (token.length < 16) {
      throw new IllegalArgumentException("a token of %d bytes can be guessed; 16 are needed".formatted(token.length));
    }
    expected.removeIf(each -> each.expiry().hasPassed());
    if (expected.size() >= MAX) {
      expected.removeFirst();
    }
    Duration atMost = valid.compareTo(LONGEST_VALID) < 0 ? valid : LONGEST_VALID;
    expected.addLast(new Expected(source, token.clone(), bounds, Deadline.after(atMost, ticker)));
  }

  /**
   * Takes the pass that a token is of, if there is one and the host that shows it is the one that was to come.
   *
   * @param peer who came, by its certificate; empty: nobody is known here by one
   */
  synchronized Optional<Bounds> take(byte[] token, Optional<HostId> peer) {
    for (Iterator<Expected> all = expected.iterator(); all.hasNext();) {
      Expected each = all.next();
      if (MessageDigest.isEqual(each.token(), token)) {
        all.remove();
        boolean fits = !each.expiry().hasPassed() && peer.filter(it -> !it.equals(each.source())).isEmpty();
        return fits ? Optional.of(each.bounds()) : Optional.empty();
      }
    }
    return Optional.empty();
  }

  LinkCounter counter(Bounds bounds) {
    return new LinkCounter(bounds, ticker);
  }
}
