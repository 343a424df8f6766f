package dev.pageferry.common.metrics;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.core.instrument.config.MeterFilter;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.time.Instant;
import java.util.function.Supplier;

/** The registry of one server, with what it shows of its build and its process. */
public final class ServerMeters {
  private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);

  /** @param version of the program */
  public ServerMeters(String version) {
    // Binders of Micrometer keep Prometheus' rules by this: labels in snake case, and no unit but base units.
    registry.config().meterFilter(MeterFilter.renameTag("grpc.", "methodType", "method.type"))
        .meterFilter(MeterFilter.renameTag("grpc.", "statusCode", "status.code"))
        .meterFilter(MeterFilter.denyNameStartsWith("process.cpu.time"))
        .meterFilter(MeterFilter.denyNameStartsWith("system.cpu.count"));
    Gauge.builder("ferry.build.info", () -> 1).tag("version", version).tag("java", Runtime.version().toString())
        .description("1; which build this is").register(registry);
    bindProcess();
  }

  @SuppressWarnings("resource") // lives as long as the process
  private void bindProcess() {
    new JvmMemoryMetrics().bindTo(registry);
    new JvmGcMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new FileDescriptorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
  }

  /** Shows until when this server's certificate is taken by others. */
  public void observeCertificate(Supplier<Instant> notAfter) {
    Gauge.builder("ferry.certificate.not.after", () -> notAfter.get().toEpochMilli() / 1e3)
        .baseUnit("seconds").description("When this server's certificate ends, in seconds since 1970-01-01 UTC")
        .register(registry);
  }

  public MeterRegistry registry() {
    return registry;
  }

  /** All meters in Prometheus' text format. */
  public String scrape() {
    return registry.scrape();
  }
}
