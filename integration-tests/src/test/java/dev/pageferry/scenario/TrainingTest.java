package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.support.CommandResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What servers learned in a training, on a copy of this checkout's build. */
class TrainingTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final String AGENT = "agent/target/dist/ferry-agent";
  private static final String COORDINATOR = "coordinator/server/target/dist/ferry-coordinator";
  private static final String COMMAND = "coordinator/cli/target/dist/ferry";
  /** Part of what a JVM logs of one of our classes that it did not have to load from a jar. */
  private static final Pattern LEARNED = Pattern.compile("dev\\.pageferry\\.\\S+ source: shared objects file");

  @TempDir
  Path checkout;

  @BeforeEach
  void copyTheBuild() throws IOException, InterruptedException {
    for (String each : List.of("scripts", COMMAND)) {
      Files.createDirectories(Objects.requireNonNull(checkout.resolve(each).getParent()));
      Files.createSymbolicLink(checkout.resolve(each), ROOT.resolve(each));
    }
    for (String each : List.of(AGENT, COORDINATOR)) {
      Path copy = checkout.resolve(each);
      Files.createDirectories(copy);
      for (String part : List.of("bin", "lib")) {
        assertThat(run(Map.of(), "cp", "-R", ROOT.resolve(each).resolve(part).toString(), copy.toString()).exitCode())
            .isZero();
      }
    }
  }

  @Test
  void trainedServersStartFromWhatTheyLearnedUnlessItIsDamagedOrFromAnotherBuild() throws Exception {
    assertThat(learned(AGENT)).isEmpty();
    assertThat(start(AGENT, "ferry-agent")).doesNotContainPattern(LEARNED);
    assertThat(train()).isEqualTo("");

    Path agents = learned(AGENT).getFirst();
    Path coordinators = learned(COORDINATOR).getFirst();
    assertThat(start(AGENT, "ferry-agent")).containsPattern(LEARNED);
    assertThat(start(COORDINATOR, "ferry-coordinator")).containsPattern(LEARNED);

    FileTime made = Files.getLastModifiedTime(agents);
    assertThat(train()).contains("trained already");
    assertThat(Files.getLastModifiedTime(agents)).isEqualTo(made);

    damage(agents);
    assertThat(start(AGENT, "ferry-agent")).contains("Checksum verification failed")
        .doesNotContainPattern(LEARNED);

    Files.setLastModifiedTime(checkout.resolve(COORDINATOR).resolve("lib"),
        FileTime.from(Instant.now().plusSeconds(1)));
    assertThat(start(COORDINATOR, "ferry-coordinator")).doesNotContainPattern(LEARNED);
    assertThat(coordinators).exists();
  }

  private String train() throws IOException, InterruptedException {
    CommandResult result = run(Map.of(), checkout.resolve("scripts/train").toString(), "--rounds", "1");
    assertThat(result.exitCode()).as(result.toString()).isZero();
    return result.output() + result.errors();
  }

  private List<Path> learned(String distribution) throws IOException {
    Path folder = checkout.resolve(distribution).resolve("training");
    if (Files.notExists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.toList();
    }
  }

  /** Its output, with where each class was loaded from. */
  private String start(String distribution, String program) throws IOException, InterruptedException {
    String shows = "-Xlog:class+load";
    CommandResult result = run(Map.of("FERRY_AGENT_OPTS", shows, "FERRY_COORDINATOR_OPTS", shows),
        checkout.resolve(distribution).resolve("bin").resolve(program).toString(), "--version");
    assertThat(result.exitCode()).isZero();
    assertThat(result.output()).contains(program);
    return result.output();
  }

  private static void damage(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      long middle = channel.size() / 2;
      ByteBuffer bytes = ByteBuffer.allocate(64);
      channel.read(bytes, middle);
      bytes.flip();
      for (int i = 0; i < bytes.limit(); i++) {
        bytes.put(i, (byte) ~bytes.get(i));
      }
      channel.write(bytes, middle);
    }
  }

  private static CommandResult run(Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    return CommandResult.of(List.of(command), environment);
  }
}
