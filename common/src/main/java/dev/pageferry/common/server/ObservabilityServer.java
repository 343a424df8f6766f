package dev.pageferry.common.server;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsExchange;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.net.ssl.SSLParameters;

/** Serves {@code /metrics} (Prometheus text format), {@code /health/live} and {@code /health/ready}. */
public final class ObservabilityServer implements AutoCloseable {
  private static final String PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";
  private static final String TEXT = "text/plain; charset=utf-8";

  private static final Set<Role> READERS = Set.of(Role.METRICS, Role.VIEWER, Role.OPERATOR);
  private static final List<String> READING = List.of("GET", "HEAD");

  static {
    // The JDK's server bounds neither by itself, and reads these once. Seconds, but for the number of connections.
    System.setProperty("sun.net.httpserver.maxReqTime", "10");
    System.setProperty("sun.net.httpserver.maxRspTime", "30");
    System.setProperty("sun.net.httpserver.idleInterval", "10");
    System.setProperty("jdk.httpserver.maxConnections", "256");
  }

  private final HttpServer server;

  /**
   * Starts to serve.
   *
   * @param metrics all meters in Prometheus' text format
   * @param credentials by which it is HTTPS; empty: plain HTTP
   * @param isRevoked whether a member is refused whatever its certificate says
   * @param trouble why the program cannot do its work now; empty: it can
   * @throws IOException if the address cannot be listened on
   */
  public ObservabilityServer(HostPort address, Optional<Credentials> credentials, Predicate<Member> isRevoked,
      Supplier<String> metrics, Supplier<Optional<String>> trouble) throws IOException {
    InetSocketAddress listening = new InetSocketAddress(address.host(), address.port());
    try {
      server = credentials.isPresent() ? secured(listening, credentials.get()) : HttpServer.create(listening, 0);
    } catch (IOException | UnresolvedAddressException e) {
      throw IoFailure.listening("HTTP", address, "--http", e);
    }
    server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
    serve("/metrics", exchange -> {
      if (mayReadMetrics(exchange, isRevoked)) {
        answer(exchange, 200, PROMETHEUS_TEXT, metrics.get());
      } else {
        answer(exchange, 403, TEXT, "metrics are for members with a certificate of role metrics, viewer or operator\n");
      }
    });
    serve("/health/live", exchange -> answer(exchange, 200, TEXT, "live\n"));
    serve("/health/ready", exchange -> {
      Optional<String> reason = trouble.get();
      answer(exchange, reason.isEmpty() ? 200 : 503, TEXT,
          reason.map(each -> "not ready: %s\n".formatted(each)).orElse("ready\n"));
    });
    server.start();
  }

  private static HttpServer secured(InetSocketAddress address, Credentials credentials) throws IOException {
    HttpsServer server = HttpsServer.create(address, 0);
    server.setHttpsConfigurator(new HttpsConfigurator(credentials.context(PeerCheck.ANY_MEMBER)) {
      @Override
      public void configure(HttpsParameters parameters) {
        SSLParameters tls = getSSLContext().getDefaultSSLParameters();
        tls.setProtocols(new String[]{TlsContexts.PROTOCOL});
        // Health is for everybody: load balancers have no certificate.
        tls.setWantClientAuth(true);
        parameters.setSSLParameters(tls);
      }
    });
    return server;
  }

  /** On loopback everybody; from elsewhere, which is always TLS, whose certificate says so. */
  private static boolean mayReadMetrics(HttpExchange exchange, Predicate<Member> isRevoked) {
    return exchange.getRemoteAddress().getAddress().isLoopbackAddress()
        || (exchange instanceof HttpsExchange secured && Credentials.peer(secured.getSSLSession())
            .filter(it -> READERS.contains(it.role()) && !isRevoked.test(it)).isPresent());
  }

  /** For the path itself: the server's own contexts take whatever begins like it, and every method. */
  private void serve(String path, HttpHandler handler) {
    server.createContext(path, exchange -> {
      if (!exchange.getRequestURI().getPath().equals(path)) {
        answer(exchange, 404, TEXT, "not found\n");
      } else if (!READING.contains(exchange.getRequestMethod())) {
        exchange.getResponseHeaders().set("Allow", String.join(", ", READING));
        answer(exchange, 405, TEXT, "only for reading\n");
      } else {
        handler.handle(exchange);
      }
    });
  }

  private static void answer(HttpExchange exchange, int code, String type, String text) throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    boolean head = exchange.getRequestMethod().equals("HEAD");
    exchange.sendResponseHeaders(code, head ? -1 : body.length);
    try (OutputStream out = exchange.getResponseBody()) {
      if (!head) {
        out.write(body);
      }
    }
  }

  /** The port that is listened on. */
  public int port() {
    return server.getAddress().getPort();
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
