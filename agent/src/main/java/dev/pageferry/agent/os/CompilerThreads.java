package dev.pageferry.agent.os;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that compile this JVM's code. Code that has just run for the first time is compiled when a move needs the processors
 * most, and on a host without an idle one compilers of equal priority took turns with the threads that a paused guest waits for.
 */
public final class CompilerThreads {
  private static final Logger log = LoggerFactory.getLogger(CompilerThreads.class);
  private static final Path THREADS = Path.of("/proc/self/task");
  /** A tenth of the share of other threads where no processor is idle: code is still compiled on a host that is always busy. */
  private static final int NICE = 10;
  /** The longest there is: whoever wakes up with an ordinary one runs at once, where a compiler kept its processor for 5 ms before. */
  private static final Duration SLICE = Duration.ofMillis(100);

  private CompilerThreads() {
  }

  /** Lets all others of this process run first, from now on; where the kernel shows no threads nothing changes. */
  public static void stepBack() {
    int threads = 0;
    try (Stream<Path> tasks = Files.list(THREADS)) {
      for (Path each : tasks.toList()) {
        threads += isCompiler(each) && stepBack(Integer.parseInt(each.getFileName().toString())) ? 1 : 0;
      }
    } catch (IOException | UncheckedIOException e) {
      log.debug("the compilers' threads are not known: {}", e.toString());
    }
    if (threads == 0) {
      log.info("compiler threads do not make way for others here; blackouts may be longer on a busy host");
    }
  }

  static boolean stepBack(int thread) {
    // A nice value is kept by the other call, which takes the whole of a thread's attributes.
    return Linux.addNice(thread, NICE) & Linux.makeWay(thread, SLICE);
  }

  private static boolean isCompiler(Path task) {
    try {
      String name = Files.readString(task.resolve("comm"), ISO_8859_1);
      return name.startsWith("C1 Compiler") || name.startsWith("C2 Compiler");
    } catch (IOException e) {
      // It has ended meanwhile.
      return false;
    }
  }
}
