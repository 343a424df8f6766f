package dev.pageferry.coordinator.cli;

import dev.pageferry.common.stage.MigrationLimits;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.StallPolicy;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry migrate live}. */
@Command(name = "live", sortOptions = false, description = "Moves a running VM; it is paused only for the last pages.",
    footer = {
        "", "Ctrl-C detaches: the migration goes on."})
final class MigrateLive implements Callable<Integer> {

  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--to", paramLabel = "HOST", required = true, description = "Where it goes.")
  private String to = "";

  @Option(names = "--downtime-limit", paramLabel = "TIME", converter = Converters.Millis.class,
      description = "Ceiling of the expected blackout (default 300ms).")
  private @Nullable Long downtimeLimitMillis;

  @Option(names = "--max-bandwidth", paramLabel = "RATE", converter = Converters.Rate.class,
      description = "Over all streams: kbit/s Mbit/s Gbit/s, MB/s, MiB/s (default unlimited).")
  private @Nullable Long maxBandwidthBytesPerSecond;

  @Option(names = "--streams", paramLabel = "N", converter = Converters.Count.class,
      description = "Data streams, 1 to 16 (default 2).")
  private @Nullable Integer streams;

  @Option(names = "--on-stall", paramLabel = "throttle|switch|abort", converter = Converters.OnStall.class,
      description = "When rounds no longer shrink the rest: hold the guest back, switch over all the same, or give up"
          + " (default throttle).")
  private StallPolicy.Name onStall = StallPolicy.Name.POLICY_UNSPECIFIED;

  @Option(names = "--timeout", paramLabel = "TIME", converter = Converters.Millis.class,
      description = "Gives up unless the commit was asked by then (default 10min).")
  private @Nullable Long timeoutMillis;

  @Option(names = "--watch", description = "Shows the progress.")
  private boolean watch;

  @Option(names = "--detach", description = "Prints the id of the migration and returns.")
  private boolean detach;

  @Option(names = "--request-id", paramLabel = "ID", description = "Two requests with the same id are one migration.")
  private @Nullable String requestId;

  MigrateLive(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    if (watch && detach) {
      throw new Failure(ExitCode.USAGE,
          "--watch and --detach exclude each other; detaching ends before there is progress; leave one out");
    }
    if (streams != null && streams > MigrationLimits.MAX_STREAMS) {
      throw new Failure(ExitCode.USAGE,
          "invalid value for option '--streams'; %d is more than %d; give 1 to %d".formatted(streams,
              MigrationLimits.MAX_STREAMS,
              MigrationLimits.MAX_STREAMS));
    }
    MigrateLiveRequest request = request();
    return ferry.inSession(session -> detach ? detached(session, request) : followed(session, request));
  }

  private int detached(Session session, MigrateLiveRequest request) {
    Migration accepted = session.connection().change(stub -> stub.migrateLive(request));
    session.output().document(accepted, palette -> accepted.getId() + "\n");
    return ExitCode.DONE;
  }

  private int followed(Session session, MigrateLiveRequest request) {
    try (MigrationWatch following = new MigrationWatch(session, watch)) {
      return following.run(session.connection().change(stub -> stub.migrateLive(request)).getId());
    }
  }

  private MigrateLiveRequest request() {
    MigrateLiveRequest.Builder request = MigrateLiveRequest.newBuilder().setName(name).setTo(to).setOnStall(onStall);
    if (downtimeLimitMillis != null) {
      request.setDowntimeLimitMillis(downtimeLimitMillis);
    }
    if (maxBandwidthBytesPerSecond != null) {
      request.setMaxBandwidthBytesPerSecond(maxBandwidthBytesPerSecond);
    }
    if (streams != null) {
      request.setStreams(streams);
    }
    if (timeoutMillis != null) {
      request.setTimeoutMillis(timeoutMillis);
    }
    if (requestId != null) {
      request.setRequestId(requestId);
    }
    return request.build();
  }
}
