package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.support.Distribution;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The archive of classes that the command's start script makes at its first run, and what happens where it cannot. */
class StartCacheTest {
  private static final String SHOWS_CLASSES = "-Xlog:class+load";
  private static final String FROM_OUR_ARCHIVE = "shared objects file (top)";

  @TempDir
  Path caches;
  private String versionLine;

  @BeforeEach
  void askWithoutACache() throws IOException, InterruptedException {
    versionLine = answer(start(caches, "off", ""));
    assertThat(versionLine).startsWith("ferry ").hasLineCount(1);
    assertThat(caches).isEmptyDirectory();
  }

  @Test
  void theFirstRunsMakeOneArchiveTogetherAndLaterOnesUseIt() throws IOException, InterruptedException {
    List<Process> first = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      first.add(start(caches, "on", ""));
    }
    for (Process each : first) {
      assertThat(answer(each)).isEqualTo(versionLine);
    }
    awaitArchive();
    assertThat(answer(start(caches, "on", SHOWS_CLASSES))).contains(FROM_OUR_ARCHIVE);
    assertThat(answer(start(caches, "off", SHOWS_CLASSES))).doesNotContain(FROM_OUR_ARCHIVE);
  }

  @Test
  void anArchiveThatDoesNotFitIsIgnoredSilently() throws IOException, InterruptedException {
    answer(start(caches, "on", ""));
    Path archive = awaitArchive();
    Files.write(archive, new byte[1 << 20]);
    assertThat(answer(start(caches, "on", ""))).isEqualTo(versionLine);
  }

  @Test
  void anArchiveOfAnotherVersionIsReplacedAndForgotten() throws IOException, InterruptedException {
    answer(start(caches, "on", ""));
    Path archive = awaitArchive();
    Path older = Files.move(archive, archive.resolveSibling("ferry-0.0.1.jar-25.jsa"));
    assertThat(answer(start(caches, "on", ""))).isEqualTo(versionLine);
    assertThat(awaitArchive()).isEqualTo(archive);
    await().atMost(Duration.ofMinutes(1)).until(() -> Files.notExists(older));
  }

  @Test
  void theCommandRunsWhereNoFolderCanBeMade() throws IOException, InterruptedException {
    Path file = Files.createFile(caches.resolve("file"));
    assertThat(answer(start(file, "on", ""))).isEqualTo(versionLine);
  }

  /** Waits until whoever makes an archive has made it, and is done. */
  private Path awaitArchive() throws IOException {
    await().atMost(Duration.ofMinutes(2)).until(() -> made(".jsa").size() == 1 && made(".making").isEmpty());
    return made(".jsa").getFirst();
  }

  private List<Path> made(String ending) throws IOException {
    try (Stream<Path> all = Files.walk(caches)) {
      return all.filter(path -> path.toString().endsWith(ending) && !path.toString().contains("0.0.1")).toList();
    }
  }

  private static Process start(Path caches, String use, String flags) throws IOException {
    ProcessBuilder builder = new ProcessBuilder(Distribution.PRESENT.program("ferry").toString(), "--version")
        .redirectErrorStream(true);
    builder.environment().put("XDG_CACHE_HOME", caches.toString());
    builder.environment().put("FERRY_START_CACHE", use);
    builder.environment().put("FERRY_OPTS", flags);
    return builder.start();
  }

  private static String answer(Process process) throws IOException, InterruptedException {
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isZero();
    return output;
  }
}
