package dev.pageferry.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.pageferry.support.Distribution;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is in the archives besides the programs. */
class DistributionTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final String OURS = "dev.pageferry";

  private static List<String> jars(Path distribution) throws IOException {
    try (Stream<Path> files = Files.list(distribution.resolve("lib"))) {
      return files.map(each -> each.getFileName().toString()).toList();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ferry-agent", "ferry-coordinator", "ferry"})
  void aDistributionHasTheLicenceTheNoticesAndAListOfAllItsParts(String program) throws Exception {
    Path distribution = Distribution.PRESENT.program(program).resolve("../..").normalize();
    assertThat(distribution.resolve("LICENSE")).hasSameTextualContentAs(ROOT.resolve("LICENSE"));

    assumeTrue(Files.exists(distribution.resolve("sbom.json")), "built offline: the list of parts is not there");
    String notices = Files.readString(distribution.resolve("THIRD-PARTY.txt"));
    Set<String> listed = new HashSet<>();
    JsonObject bill = JsonParser.parseString(Files.readString(distribution.resolve("sbom.json"))).getAsJsonObject();
    for (JsonElement each : bill.getAsJsonArray("components")) {
      JsonObject part = each.getAsJsonObject();
      String name = part.get("name").getAsString();
      String version = part.get("version").getAsString();
      listed.add(name + "-" + version);
      if (!part.get("group").getAsString().equals(OURS)) {
        assertThat(notices).contains(":%s:%s ".formatted(name, version));
      }
    }
    JsonObject itself = bill.getAsJsonObject("metadata").getAsJsonObject("component");
    listed.add("%s-%s".formatted(itself.get("name").getAsString(), itself.get("version").getAsString()));

    // The name of a jar may go on with the platform that it is for.
    assertThat(jars(distribution)).hasSizeGreaterThan(10)
        .allSatisfy(jar -> assertThat(listed).anyMatch(jar::startsWith));
  }
}
