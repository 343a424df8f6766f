package dev.pageferry.agent.os;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Writer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.SplittableRandom;

/** A process that maps a file and writes to it as it is told, a line at a time. Not a child of the test, see {@link InjectedCall}. */
final class PageWriter implements AutoCloseable {
  private static final int PAGE_BYTES = 4096;
  private static final int MADV_DONTNEED = 4;
  private static final int WRITES_BETWEEN_LOOKS = 1000;

  private final Process shell;
  private final OsProcess process;
  private final Writer orders;
  private final BufferedReader answers;

  private PageWriter(Process shell, OsProcess process, Writer orders, BufferedReader answers) {
    this.shell = shell;
    this.process = process;
    this.orders = orders;
    this.answers = answers;
  }

  /** @param bytes of the file, from its beginning, that it maps */
  static PageWriter start(Path file, long bytes) throws IOException {
    Process shell = new ProcessBuilder("sh", "-c", "exec 3<&0; \"$@\" <&3 & echo $!; wait", "sh",
        Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:+UseSerialGC",
        "--enable-native-access=ALL-UNNAMED", "-cp", System.getProperty("java.class.path"), PageWriter.class.getName(),
        file.toString(), String.valueOf(bytes)).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    BufferedReader answers = shell.inputReader(StandardCharsets.US_ASCII);
    long pid = Long.parseLong(answers.readLine());
    PageWriter writer = new PageWriter(shell, OsProcess.of(pid).orElseThrow(),
        shell.outputWriter(StandardCharsets.US_ASCII), answers);
    writer.await();
    return writer;
  }

  OsProcess process() {
    return process;
  }

  void write(long... pages) throws IOException {
    for (long page : pages) {
      order("write " + page);
      await();
    }
  }

  /** The page stays in the file, and is looked up anew when it is used next. */
  void unmap(long page) throws IOException {
    order("unmap " + page);
    await();
  }

  /** Writes to random pages as fast as it can, until {@link #await}. */
  void storm(int millis) throws IOException {
    order("storm " + millis);
  }

  private void order(String line) throws IOException {
    orders.write(line + "\n");
    orders.flush();
  }

  void await() throws IOException {
    String answer = answers.readLine();
    if (!"done".equals(answer)) {
      throw new IOException("the process that writes pages said " + answer);
    }
  }

  @Override
  public void close() {
    process.kill();
    shell.destroyForcibly();
  }

  public static void main(String[] arguments) throws Exception {
    long bytes = Long.parseLong(arguments[1]);
    try (FileChannel file = FileChannel.open(Path.of(arguments[0]), StandardOpenOption.READ, StandardOpenOption.WRITE);
        Arena arena = Arena.ofShared()) {
      MemorySegment memory = file.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
      BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
      System.out.println("done");
      for (String line = orders.readLine(); line != null; line = orders.readLine()) {
        List<String> words = List.of(line.split(" "));
        long number = Long.parseLong(words.get(1));
        switch (words.get(0)) {
          case "write" -> increment(memory, number);
          case "unmap" -> Linux.advise(memory.asSlice(number * PAGE_BYTES, PAGE_BYTES), MADV_DONTNEED);
          case "storm" -> storm(memory, number);
          default -> throw new IllegalArgumentException(line);
        }
        System.out.println("done");
      }
    }
  }

  private static void increment(MemorySegment memory, long page) {
    long offset = page * PAGE_BYTES;
    memory.set(ValueLayout.JAVA_LONG, offset, memory.get(ValueLayout.JAVA_LONG, offset) + 1);
  }

  private static void storm(MemorySegment memory, long millis) {
    SplittableRandom random = new SplittableRandom(1);
    long end = System.nanoTime() + millis * 1_000_000;
    while (System.nanoTime() < end) {
      for (int i = 0; i < WRITES_BETWEEN_LOOKS; i++) {
        increment(memory, random.nextLong(memory.byteSize() / PAGE_BYTES));
      }
    }
  }
}
