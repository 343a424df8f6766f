package dev.pageferry.coordinator.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.fakes.Reports;
import dev.pageferry.coordinator.fakes.SiteFixture;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.proto.agent.v1.OutgoingOptions;
import dev.pageferry.proto.agent.v1.PrepareIncomingRequest;
import dev.pageferry.proto.agent.v1.StartOutgoingRequest;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.StallPolicy;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is refused before anything has started, and what an accepted request tells the two hosts. */
class MigrationAcceptanceTest extends SiteFixture {
  @BeforeEach
  void createVm() throws RequestException {
    site.createVm("db", "a");
  }

  @Test
  void anUnknownVmIsRefused() {
    refused(Kind.NOT_FOUND, request("x", "b"), "VM x does not exist; see 'ferry vm list'");
  }

  @Test
  void anUnknownHostIsRefused() {
    refused(Kind.NOT_FOUND, request("db", "z"), "host z is not known; see 'ferry host list'");
    refused(Kind.INVALID, request("db", "not a host"), "HostId");
  }

  @Test
  void movingAVmToWhereItIsIsRefused() {
    refused(Kind.REFUSED, request("db", "a"), "VM db is on host a already; name another one");
  }

  @Test
  void aDestinationThatIsDownIsRefused() {
    site.timeOutAllBut("a");
    refused(Kind.REFUSED, request("db", "b"), "host b is DOWN: no heartbeat");
  }

  @Test
  void aDestinationWithTooLittleMemoryIsRefusedWithTheFigures() throws RequestException {
    site.machines().create(FakeSite.request("big", "a").toBuilder().setMemoryBytes(1024 * FakeSite.MIB).build());
    site.inventory().heartbeat(new dev.pageferry.common.identity.HostId("b"), site.incarnation("b"),
        1023 * FakeSite.MIB, site.agent("b").vms());
    refused(Kind.REFUSED, request("big", "b"), "host b has 1023 MiB free for guests, VM big needs 1 GiB");
  }

  @Test
  void aVmThatDoesNotRunHasNothingToMove() throws RequestException {
    site.machines().stop("db");
    refused(Kind.REFUSED, request("db", "b"), "VM db is STOPPED; there is nothing to move, start it first");
    site.machines().start("db", "", false);
    site.register("a");
    refused(Kind.REFUSED, request("db", "b"), "VM db is UNKNOWN: the agent of host a ended");
    site.heartbeat("a");
    refused(Kind.REFUSED, request("db", "b"), "VM db is FAILED; there is nothing to move, start it first");
  }

  @Test
  void aVmThatMovesAlreadyIsRefusedAndItsMigrationGoesOn() throws RequestException {
    Migration first = site.migrate("db", "b");
    refused(Kind.REFUSED, request("db", "b"), "VM db is being migrated already (%s)".formatted(first.getId()), 1);
    assertThat(site.migrations().show(first.getId()).getState()).isEqualTo(Migration.State.RUNNING);
  }

  @Test
  void optionsOutOfRangeAreRefused() {
    for (MigrateLiveRequest.Builder each : new MigrateLiveRequest.Builder[]{request("db", "b").setStreams(0),
        request("db", "b").setStreams(17), request("db", "b").setDowntimeLimitMillis(-1),
        request("db", "b").setTimeoutMillis(0), request("db", "b").setMaxBandwidthBytesPerSecond(-5),
        request("db", "b").setOnStallValue(99)}) {
      refused(Kind.INVALID, each, "");
    }
  }

  @Test
  void bothHostsAreToldOfTheSameMigrationWithTheSameToken() throws RequestException {
    site.migrate("db", "b");
    await().until(() -> site.agent("a").count("startOutgoing") == 1);
    PrepareIncomingRequest prepare = site.agent("b").requests(PrepareIncomingRequest.class).getFirst();
    StartOutgoingRequest start = site.agent("a").requests(StartOutgoingRequest.class).getFirst();

    assertThat(prepare.getMigrationId()).isEqualTo(start.getMigrationId());
    assertThat(prepare.getToken()).isEqualTo(start.getToken());
    assertThat(prepare.getToken().size()).isEqualTo(32);
    assertThat(prepare.getExpiresInMillis()).isPositive();
    assertThat(prepare.getSourceHost()).isEqualTo("a");
    assertThat(prepare.getDestinationIncarnation()).isEqualTo(site.incarnation("b").value());
    assertThat(prepare.getSpec()).isEqualTo(site.row("db").getSpec());
    assertThat(prepare.getEpoch()).isEqualTo(1);
    assertThat(start.getEpoch()).isEqualTo(1);
    assertThat(start.getVmId()).isEqualTo(site.vmId("db").value());
    assertThat(start.getDestinationHost()).isEqualTo("b");
    assertThat(start.getDestinationAddress()).isEqualTo("b:7420");
    assertThat(start.getOptions()).isEqualTo(OutgoingOptions.newBuilder().setDowntimeLimitMillis(300).setStreams(2)
        .setTimeoutMillis(600_000).setOnStall(OutgoingOptions.OnStall.THROTTLE).build());
  }

  @Test
  void theOperatorsOptionsReachTheSource() throws RequestException {
    site.migrations().start(request("db", "b").setStreams(16).setDowntimeLimitMillis(0).setTimeoutMillis(1)
        .setMaxBandwidthBytesPerSecond(125_000_000).setOnStall(StallPolicy.Name.ABORT).build());
    await().until(() -> site.agent("a").count("startOutgoing") == 1);
    assertThat(site.agent("a").requests(StartOutgoingRequest.class).getFirst().getOptions())
        .isEqualTo(OutgoingOptions.newBuilder().setDowntimeLimitMillis(0).setStreams(16).setTimeoutMillis(1)
            .setMaxBandwidthBytesPerSecond(125_000_000).setOnStall(OutgoingOptions.OnStall.ABORT).build());
  }

  @Test
  void aRequestIdThatIsRepeatedFindsTheSameMigrationWhileItRunsAndAfterwards() throws Exception {
    MigrateLiveRequest request = request("db", "b").setRequestId("nightly-1").build();
    Migration first = site.migrations().start(request);
    assertThat(site.migrations().start(request).getId()).isEqualTo(first.getId());
    site.agent("a").say(Reports.completed());
    site.ended(first);
    assertThat(site.migrations().start(request).getState()).isEqualTo(Migration.State.COMPLETED);
    assertThat(site.migrations().list()).hasSize(1);

    site = site.afterCoordinatorRestart();
    assertThat(site.migrations().start(request).getId()).isEqualTo(first.getId());
    assertThat(site.agent("a").count("startOutgoing")).isEqualTo(1);
  }

  @Test
  void anEmptyRequestIdIsNotTheIdOfRequestsThatHadNone() throws RequestException {
    site.createVm("web", "a");
    Migration first = site.migrate("db", "b");
    Migration second = site.migrations().start(request("web", "b").setRequestId("").build());
    assertThat(second.getId()).isNotEqualTo(first.getId());
    assertThat(second.getVm()).isEqualTo("web");
  }

  private static MigrateLiveRequest.Builder request(String vm, String to) {
    return MigrateLiveRequest.newBuilder().setName(vm).setTo(to);
  }

  private void refused(Kind kind, MigrateLiveRequest.Builder request, String part) {
    refused(kind, request, part, 0);
  }

  private void refused(Kind kind, MigrateLiveRequest.Builder request, String part, int migrationsBefore) {
    RequestException refusal = catchThrowableOfType(RequestException.class,
        () -> site.migrations().start(request.build()));
    assertThat(refusal).as("a refusal of %s", request).isNotNull().hasMessageContaining(part);
    assertThat(refusal.kind()).isEqualTo(kind);
    assertThat(site.migrations().list()).hasSize(migrationsBefore);
    assertThat(site.ledger().migrations()).hasSize(migrationsBefore);
    assertThat(site.row("db").hasPending()).isEqualTo(migrationsBefore > 0);
  }
}
