package dev.pageferry.ferry;

import dev.pageferry.ferry.session.Surroundings;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;

/** Runs command lines in this process, with a clock that only the command's own waiting moves. */
final class FerryRun {
  final Map<String, String> environment = new HashMap<>();
  final List<Duration> pauses = new ArrayList<>();
  final AtomicLong nanos = new AtomicLong();
  final List<Runnable> interrupts = new ArrayList<>();
  boolean terminal;
  Instant now = Instant.now();
  /** What is answered to questions; empty: nobody is there. */
  Optional<String> answer = Optional.empty();
  final List<String> questions = new ArrayList<>();
  private int ids;
  /** Runs at the end of every pause. */
  Runnable afterPause = () -> {
  };

  /** Whether stdout goes to a disk that is full. */
  boolean outIsFull;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  FerryRun() {
  }

  FerryRun(FakeCluster cluster) {
    environment.put("FERRY_COORDINATOR", cluster.address());
  }

  int run(String... args) {
    out.reset();
    err.reset();
    return Ferry.run(new Surroundings(outIsFull ? full() : stream(out), stream(err), environment, () -> terminal,
        () -> terminal, nanos::get,
        this::pause, action -> {
          interrupts.add(action);
          return () -> interrupts.remove(action);
        }, () -> "id-" + ++ids, this::asked, () -> now, SecureRandom::new), args);
  }

  private Optional<String> asked(String question) {
    questions.add(question);
    return answer;
  }

  String out() {
    return out.toString(StandardCharsets.UTF_8);
  }

  List<String> outLines() {
    return out().lines().toList();
  }

  String err() {
    return err.toString(StandardCharsets.UTF_8);
  }

  private void pause(Duration duration) throws InterruptedException {
    pauses.add(duration);
    nanos.addAndGet(duration.toNanos());
    afterPause.run();
    if (Thread.interrupted()) {
      throw new InterruptedException("as the test wants it");
    }
  }

  private static PrintStream full() {
    return new PrintStream(new OutputStream() {
      @Override
      public void write(int octet) throws IOException {
        throw new IOException("No space left on device");
      }
    }, true, StandardCharsets.UTF_8);
  }

  private static PrintStream stream(ByteArrayOutputStream bytes) {
    return new PrintStream(bytes, true, StandardCharsets.UTF_8);
  }
}
