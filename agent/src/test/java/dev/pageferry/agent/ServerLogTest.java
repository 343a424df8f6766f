package dev.pageferry.agent;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.joran.JoranConfigurator;
import ch.qos.logback.classic.util.LogbackMDCAdapter;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.Logger;

/** The servers' log by the configuration that they have. It is written to whatever stands for stderr at that moment. */
@Timeout(30)
final class ServerLogTest {
  private final PrintStream stderr = System.err;
  private final LoggerContext logging = new LoggerContext();

  /** Somebody who has stopped to read, until the test lets them. */
  private static final class StoppedReader extends OutputStream {
    private final CountDownLatch stopped = new CountDownLatch(1);
    /** One is written at a time. */
    private final AtomicInteger lines = new AtomicInteger();
    private final CountDownLatch goesOn = new CountDownLatch(1);

    @Override
    public void write(int b) {
      write(new byte[]{(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int start, int length) {
      stopped.countDown();
      // As a pipe: no interrupt ends the writing.
      boolean interrupted = false;
      while (goesOn.getCount() > 0) {
        try {
          goesOn.await();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      for (int i = start; i < start + length; i++) {
        lines.addAndGet(bytes[i] == '\n' ? 1 : 0);
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  @AfterEach
  void stderrIsWhatItWas() {
    System.setErr(stderr);
    logging.stop();
  }

  private Logger logger(OutputStream written) throws Exception {
    System.setErr(new PrintStream(written, true, UTF_8));
    logging.setMDCAdapter(new LogbackMDCAdapter());
    JoranConfigurator configurator = new JoranConfigurator();
    configurator.setContext(logging);
    configurator.doConfigure(ServerLogTest.class.getResource("/ferry-server-logback.xml"));
    return logging.getLogger("dev.pageferry.Example");
  }

  private static void logLines(Logger log, int lines) {
    for (int i = 1; i <= lines; i++) {
      log.info("line {}", i);
    }
  }

  @Test
  void whatWasLoggedIsWrittenBeforeTheEnd() throws Exception {
    ByteArrayOutputStream written = new ByteArrayOutputStream();
    Logger log = logger(written);

    logLines(log, 1000);
    logging.stop();

    assertThat(written.toString(UTF_8).lines()).hasSize(1000).last().asString().contains("Example: line 1000");
  }

  @Test
  void linesOfAllLevelsWaitUntilThereIsNoRoomLeft() throws Exception {
    StoppedReader reader = new StoppedReader();
    Logger log = logger(reader);

    logLines(log, 8_000);
    reader.goesOn.countDown();
    logging.stop();

    assertThat(reader.lines.get()).isEqualTo(8_000);
  }

  @Test
  void nobodyWhoLogsWaitsForAReaderThatHasStopped() throws Exception {
    StoppedReader reader = new StoppedReader();
    Logger log = logger(reader);

    logLines(log, 20_000);
    logging.stop();

    assertThat(reader.stopped.getCount()).as("a line was to be written").isZero();
    assertThat(reader.goesOn.getCount()).as("the reader still reads nothing, and the log has been closed").isOne();
    reader.goesOn.countDown();
  }
}
