package dev.pageferry.ferry.command;

import dev.pageferry.common.migration.MigrationLimits;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.StallPolicy;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code ferry migrate live}. */
@Command(name = "live", sortOptions = false, description = "Moves a running VM; it is paused only for the last pages.",
    footer = {
        "", "Ctrl-C detaches: the migration goes on."})
public final class MigrateLive implements Callable<Integer> {

  private final Session.Opener ferry;

  @Mixin
  private final MigrateOptions common = new MigrateOptions();

  @Option(names = "--downtime-limit", order = 2, paramLabel = "TIME", converter = Converters.Millis.class,
      description = "Ceiling of the expected blackout (default 300ms).")
  private @Nullable Long downtimeLimitMillis;

  @Option(names = "--max-bandwidth", order = 3, paramLabel = "RATE", converter = Converters.Rate.class,
      description = "Over all streams: kbit/s Mbit/s Gbit/s, MB/s, MiB/s (default unlimited).")
  private @Nullable Long maxBandwidthBytesPerSecond;

  @Option(names = "--streams", order = 4, paramLabel = "N", converter = Converters.Count.class,
      description = "Data streams, 1 to 16 (default 2).")
  private @Nullable Integer streams;

  @Option(names = "--on-stall", order = 5, paramLabel = "throttle|switch|abort", converter = Converters.OnStall.class,
      completionCandidates = Candidates.StallPolicies.class,
      description = "When rounds no longer shrink the rest: hold the guest back, switch over all the same, or give up"
          + " (default throttle).")
  private StallPolicy.Name onStall = StallPolicy.Name.POLICY_UNSPECIFIED;

  @Option(names = "--shared-nothing", order = 6,
      description = "Copies the VM's disks too: for hosts that do not share the storage that they are on.")
  private boolean sharedNothing;

  @Option(names = "--verify-ram", order = 7,
      description = "Hashes all of the guest's RAM on both hosts while it is paused, and compares; that prolongs the"
          + " blackout, by about a second for each GiB.")
  private boolean verifyRam;

  @Option(names = "--probe", order = 54,
      description = "With --watch: pings the VM every millisecond meanwhile, as 'ferry vm ping' does, and shows the"
          + " outage that a client saw.")
  private boolean probe;

  public MigrateLive(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    common.check();
    if (streams != null && streams > MigrationLimits.MAX_STREAMS) {
      throw new Failure(ExitCode.USAGE,
          "invalid value for option '--streams'; %d is more than %d; give 1 to %d".formatted(streams,
              MigrationLimits.MAX_STREAMS,
              MigrationLimits.MAX_STREAMS));
    }
    MigrateLiveRequest.Builder request = request();
    if (!probe) {
      return common.run(ferry, (stub, id) -> stub.migrateLive(request.setRequestId(id).build()));
    }
    if (!common.watch()) {
      throw new Failure(ExitCode.USAGE, "--probe shows its findings beside the progress; add --watch");
    }
    return ferry.inSession(session -> {
      try (Probe pinging = new Probe(session, common.name())) {
        return common.run(session, (stub, id) -> stub.migrateLive(request.setRequestId(id).build()), pinging);
      }
    });
  }

  private MigrateLiveRequest.Builder request() {
    MigrateLiveRequest.Builder request = MigrateLiveRequest.newBuilder().setName(common.name()).setTo(common.to())
        .setOnStall(onStall).setSharedNothing(sharedNothing).setVerifyRam(verifyRam);
    if (downtimeLimitMillis != null) {
      request.setDowntimeLimitMillis(downtimeLimitMillis);
    }
    if (maxBandwidthBytesPerSecond != null) {
      request.setMaxBandwidthBytesPerSecond(maxBandwidthBytesPerSecond);
    }
    if (streams != null) {
      request.setStreams(streams);
    }
    common.timeoutMillis().ifPresent(request::setTimeoutMillis);
    return request;
  }
}
