package dev.pageferry.common.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.config.HostPort;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ObservabilityServerTest {
  private final HttpClient client = HttpClient.newHttpClient();
  private Optional<String> trouble = Optional.empty();
  private ObservabilityServer server;

  @BeforeEach
  void start() throws IOException {
    server = new ObservabilityServer(new HostPort("127.0.0.1", 0), Optional.empty(), member -> false,
        () -> "ferry_up 1\n",
        () -> trouble);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private HttpResponse<String> ask(String method, String path) throws IOException, InterruptedException {
    return client.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path))
        .method(method, BodyPublishers.noBody()).build(), BodyHandlers.ofString());
  }

  @ParameterizedTest
  @CsvSource({"/metrics, ferry_up 1", "/health/live, live", "/health/ready, ready"})
  void eachPageAnswersAtItsPathOnly(String path, String text) throws Exception {
    assertThat(ask("GET", path)).extracting(HttpResponse::statusCode, HttpResponse::body)
        .containsExactly(200, text + "\n");
    assertThat(ask("HEAD", path).statusCode()).isEqualTo(200);
    assertThat(ask("GET", path + "foo").statusCode()).isEqualTo(404);
    assertThat(ask("GET", path + "/foo").statusCode()).isEqualTo(404);
  }

  @ParameterizedTest
  @ValueSource(strings = {"POST", "PUT", "DELETE"})
  void nothingCanBeChanged(String method) throws Exception {
    HttpResponse<String> refused = ask(method, "/health/live");

    assertThat(refused.statusCode()).isEqualTo(405);
    assertThat(refused.headers().firstValue("Allow")).contains("GET, HEAD");
  }

  @Test
  void aProgramThatCannotWorkSaysWhy() throws Exception {
    trouble = Optional.of("the records cannot be written");

    assertThat(ask("GET", "/health/ready")).extracting(HttpResponse::statusCode, HttpResponse::body)
        .containsExactly(503, "not ready: the records cannot be written\n");
    assertThat(ask("GET", "/health/live").statusCode()).isEqualTo(200);
  }
}
