package dev.pageferry.agent.os;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads that compile this JVM's code. Code that has just run for the first time is compiled when a move needs the processors
 * most: on a host without an idle one, compilers of equal right made blackouts half as long again.
 */
public final class CompilerThreads {
  private static final Logger log = LoggerFactory.getLogger(CompilerThreads.class);
  private static final Path THREADS = Path.of("/proc/self/task");
  /** A tenth of the share of others, where there is no idle processor: it still gets there on a host that is always busy. */
  private static final int NICE = 10;

  private CompilerThreads() {
  }

  /** Lets all others of this process run first, from now on; where the kernel shows no threads nothing changes. */
  public static void stepBack() {
    int threads = 0;
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(THREADS)) {
      for (Path each : tasks) {
        if (isCompiler(each) && Linux.setNice(Integer.parseInt(each.getFileName().toString()), NICE)) {
          threads++;
        }
      }
    } catch (IOException | NumberFormatException e) {
      log.debug("the compilers' threads are not known: {}", e.toString());
    }
    log.debug("{} compiler threads let others run first", threads);
  }

  private static boolean isCompiler(Path task) throws IOException {
    String name = Files.readString(task.resolve("comm"));
    return name.startsWith("C1 Compiler") || name.startsWith("C2 Compiler");
  }
}
