package dev.pageferry.ferry.session;

import dev.pageferry.common.concurrent.RandomIds;
import dev.pageferry.common.time.Ticker;
import java.io.Console;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.Scanner;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * What the process gives the command, so that tests can give it something else.
 *
 * @param outIsTerminal
 *          whether somebody looks at stdout; asked only when it matters
 * @param errIsTerminal
 *          whether somebody looks at stderr; asked only when it matters
 * @param pause
 *          waits between attempts to reach the coordinator again
 * @param interrupts
 *          tells of Ctrl-C
 * @param newIds
 *          gives ids that nobody has used
 * @param questions
 *          asks whoever sits at the terminal
 * @param clock
 *          the time of day: certificates have an end
 * @param chance
 *          makes keys and serial numbers; asked only when they are wanted
 */
public record Surroundings(PrintStream out, PrintStream err, Map<String, String> environment,
    BooleanSupplier outIsTerminal,
    BooleanSupplier errIsTerminal, Ticker ticker, Pause pause, Interrupts interrupts,
    Supplier<String> newIds, Questions questions, InstantSource clock, Supplier<SecureRandom> chance) {

  /** Waits. */
  @FunctionalInterface
  public interface Pause {
    void sleep(Duration duration) throws InterruptedException;
  }

  /** Runs something when the process is told to end, until the registration is closed. */
  @FunctionalInterface
  public interface Interrupts {
    Registration register(Runnable action);
  }

  /** Asks whoever sits at the terminal. */
  @FunctionalInterface
  public interface Questions {
    /** @return what was answered; empty: nobody is there to ask */
    Optional<String> ask(String question);
  }

  /** Something registered for as long as it is open. */
  public interface Registration extends AutoCloseable {
    @Override
    void close();
  }

  /** The real ones. Both streams are UTF-8: JSON is, whatever the locale says. */
  public static Surroundings ofProcess() {
    return new Surroundings(stream(FileDescriptor.out), stream(FileDescriptor.err), System.getenv(),
        () -> isTerminal(1),
        () -> isTerminal(2), Ticker.SYSTEM, Thread::sleep, Surroundings::onShutdown,
        () -> RandomIds.uuid(new SecureRandom()), Surroundings::ask, InstantSource.system(), SecureRandom::new);
  }

  private static Optional<String> ask(String question) {
    if (!isTerminal(0) || !isTerminal(2)) {
      return Optional.empty();
    }
    System.err.print(question);
    System.err.flush();
    // Read without a console: that one would want stdout, which may go elsewhere.
    Scanner in = new Scanner(System.in, StandardCharsets.UTF_8);
    return Optional.of(in.hasNextLine() ? in.nextLine() : "");
  }

  private static PrintStream stream(FileDescriptor descriptor) {
    return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
  }

  /**
   * {@link Console#isTerminal()} speaks of stdin and stdout together; a redirected stderr needs its
   * own look.
   */
  private static boolean isTerminal(int descriptor) {
    if ("dumb".equals(System.getenv("TERM"))) {
      return false;
    }
    Path link = Path.of("/proc/self/fd/" + descriptor);
    try {
      String target = Files.readSymbolicLink(link).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
    } catch (IOException | UnsupportedOperationException e) {
      return consoleIsTerminal();
    }
  }

  @SuppressWarnings("SystemConsoleNull") // It is null again since the default console is the one of java.base.
  private static boolean consoleIsTerminal() {
    Console console = System.console();
    return console != null && console.isTerminal();
  }

  /** The virtual machine turns SIGINT into a shutdown with exit code 130. */
  private static Registration onShutdown(Runnable action) {
    Thread hook = new Thread(action, "interrupted");
    Runtime.getRuntime().addShutdownHook(hook);
    return () -> {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // The shutdown has begun, so the hook runs or ran: nothing to take back.
        return;
      }
    };
  }
}
