package dev.pageferry.ferry.session;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** The terminal, in raw mode for as long as this is open: each key is told at once, and none means anything to the terminal itself. */
public final class Terminal implements AutoCloseable {
  /** Ctrl-], as virsh and telnet have it. */
  private static final byte ESCAPE = 0x1d;
  private static final int MOST_TYPED_BYTES = 4096;
  private static final long STTY_SECONDS = 5;

  private final String before;
  private final Thread restore = new Thread(this::restore, "restore-terminal");
  private volatile boolean left;

  private Terminal(String before) {
    this.before = before;
  }

  /** @throws Failure if there is no terminal */
  public static Terminal raw() {
    Terminal terminal = new Terminal(stty("-g"));
    Runtime.getRuntime().addShutdownHook(terminal.restore);
    String _ = stty("raw", "-echo");
    return terminal;
  }

  private static String stty(String... arguments) {
    List<String> argv = new ArrayList<>(List.of("stty", "-F", "/dev/tty"));
    argv.addAll(Arrays.asList(arguments));
    try {
      Process process = new ProcessBuilder(argv).redirectErrorStream(true).start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.waitFor(STTY_SECONDS, TimeUnit.SECONDS) && process.exitValue() == 0) {
        return said;
      }
      throw new Failure(ExitCode.USAGE,
          "this needs a terminal (%s); --log prints a console without one".formatted(said));
    } catch (IOException e) {
      throw new Failure(ExitCode.USAGE,
          "this needs stty to set the terminal; --log prints a console without it", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.INTERRUPTED, "interrupted", e);
    }
  }

  /** Has a thread tell what is typed, until the escape. */
  public void hear(Consumer<byte[]> typed) {
    Thread.ofPlatform().daemon().name("keyboard").start(() -> {
      try {
        listen(System.in, typed);
      } catch (IOException e) {
        // The terminal is gone, as when its window was closed.
      } finally {
        left = true;
      }
    });
  }

  private static void listen(InputStream keys, Consumer<byte[]> typed) throws IOException {
    byte[] buffer = new byte[MOST_TYPED_BYTES];
    for (int count = keys.read(buffer); count >= 0; count = keys.read(buffer)) {
      int end = 0;
      while (end < count && buffer[end] != ESCAPE) {
        end++;
      }
      if (end > 0) {
        typed.accept(Arrays.copyOf(buffer, end));
      }
      if (end < count) {
        return;
      }
    }
  }

  /** Whether the escape was typed. */
  public boolean isLeft() {
    return left;
  }

  private void restore() {
    try {
      String _ = stty(before);
    } catch (Failure e) {
      // It is gone.
    }
  }

  @Override
  public void close() {
    restore();
    try {
      boolean _ = Runtime.getRuntime().removeShutdownHook(restore);
    } catch (IllegalStateException e) {
      // The shutdown has begun, and does it once more.
    }
  }
}
