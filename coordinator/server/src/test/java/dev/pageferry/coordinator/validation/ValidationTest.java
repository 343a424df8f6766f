package dev.pageferry.coordinator.validation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.HostInspector;
import dev.pageferry.coordinator.fakes.FakeSite;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.agent.v1.CertificateFacts;
import dev.pageferry.proto.agent.v1.Clocks;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeRequest;
import dev.pageferry.proto.agent.v1.ExpectLinkProbeResponse;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.HostSigns;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.LookAtHostRequest;
import dev.pageferry.proto.agent.v1.MeasureLinkRequest;
import dev.pageferry.proto.agent.v1.NetworkCardFacts;
import dev.pageferry.proto.agent.v1.StorageTrial;
import dev.pageferry.proto.agent.v1.StorageTried;
import dev.pageferry.proto.cluster.v1.ValidateUpdate;
import dev.pageferry.proto.cluster.v1.ValidationCheck;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Validations of hosts that the test plays. */
@Timeout(60)
class ValidationTest {
  @TempDir
  Path directory;
  private FakeSite site;
  private final PlayedHosts played = new PlayedHosts();
  private final List<ValidateUpdate> updates = new CopyOnWriteArrayList<>();

  /** Hosts with one storage, which does what it should unless told otherwise. */
  private static final class PlayedHosts implements HostInspector {
    private final Map<String, String> files = new ConcurrentHashMap<>();
    private final Map<String, byte[]> expected = new ConcurrentHashMap<>();
    private final AtomicReference<String> locked = new AtomicReference<>("");
    private volatile String readOnly = "";
    private volatile String blind = "";
    private volatile String withoutLocks = "";
    private volatile String silent = "";
    private volatile String busy = "";
    private volatile String lying = "";
    private final CountDownLatch mayAnswer = new CountDownLatch(1);
    private volatile boolean answersLater;

    private static String host(String address) {
      return address.substring(0, address.indexOf(':'));
    }

    @Override
    public HostFacts inspect(String address, List<String> names) throws AgentException {
      if (answersLater) {
        try {
          mayAnswer.await();
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
      }
      if (host(address).equals(silent)) {
        throw new AgentException(AgentException.Kind.UNREACHABLE, "its agent does not answer (UNAVAILABLE)");
      }
      if (host(address).equals(lying)) {
        return HostFacts.newBuilder().setVersion("0.2.0".repeat(100_000))
            .setCertificate(CertificateFacts.newBuilder().setNotAfterSeconds(Long.MAX_VALUE)).build();
      }
      return HostFacts.newBuilder().setVersion("0.2.0").setMachineMemoryBytes(64L << 30)
          .setManagement(NetworkCardFacts.newBuilder().setInterface("eth0").setMtu(1500))
          .setMigration(NetworkCardFacts.newBuilder().setInterface("eth1").setMtu(1500)).build();
    }

    @Override
    public Clocks clocks(String address) {
      return Clocks.newBuilder().setBootNanos(System.nanoTime())
          .setWallMicros(System.currentTimeMillis() * 1000).build();
    }

    @Override
    public HostSigns lookAtHost(String address, LookAtHostRequest request) {
      throw new AssertionError("nobody asks whether others live");
    }

    @Override
    public StorageTried tryStorage(String address, StorageTrial trial) throws AgentException {
      String host = host(address);
      if (host.equals(readOnly) && trial.getStep() == StorageTrial.Step.WRITE) {
        throw new AgentException(AgentException.Kind.REFUSED, "read-only file system");
      }
      StorageTried.Builder tried = StorageTried.newBuilder();
      switch (trial.getStep()) {
        case WRITE -> files.put(trial.getHost(), trial.getContent());
        case READ -> tried.setContent(host.equals(blind) ? "" : files.getOrDefault(trial.getHost(), ""));
        case LOCK -> tried.setLocked(locked.compareAndSet("", host));
        case TRY_LOCK -> tried.setLocked(host.equals(withoutLocks) || locked.get().isEmpty());
        case UNLOCK -> locked.set("");
        case CLEAN -> files.clear();
        default -> throw new AssertionError(trial);
      }
      return tried.build();
    }

    @Override
    public ExpectLinkProbeResponse expectLinkProbe(String address, ExpectLinkProbeRequest request) {
      expected.put(host(address), request.getToken().toByteArray());
      return ExpectLinkProbeResponse.newBuilder().setBusy(host(address).equals(busy)).build();
    }

    @Override
    public LinkMeasure measureLink(String address, MeasureLinkRequest request) throws AgentException {
      String to = request.getDestinationHost();
      if (!Arrays.equals(expected.get(to), request.getToken().toByteArray())) {
        throw new AgentException(AgentException.Kind.REFUSED, "not expected");
      }
      assertThat(request.getDestinationAddress()).isEqualTo(to + ":7420");
      if (host(address).equals(lying)) {
        return LinkMeasure.newBuilder().setBytes(Long.MAX_VALUE).setSeconds(Double.NaN).build();
      }
      return LinkMeasure.newBuilder().setBytes(1 << 20).setSeconds(0.001).setRoundTripSeconds(0.0001).setPathMtu(1500)
          .build();
    }
  }

  @BeforeEach
  void open() throws Exception {
    site = new FakeSite(directory);
    for (String each : List.of("host-a", "host-b", "host-c")) {
      site.register(each);
      site.heartbeat(each);
    }
  }

  @AfterEach
  void close() throws Exception {
    played.mayAnswer.countDown();
    site.close();
  }

  private Validation validation() {
    return new Validation(site.inventory(), site.ledger(), played, Optional.empty(), "test", Scheduler.SYSTEM,
        new Random(1));
  }

  private ValidationReport report(String... hosts) throws Exception {
    return validation().run(List.of(hosts), updates::add);
  }

  private static List<String> troubles(ValidationReport report) {
    return report.getChecksList().stream()
        .filter(each -> Set.of(ValidationCheck.Result.FAIL, ValidationCheck.Result.WARN).contains(each.getResult()))
        .filter(each -> !each.getName().equals("certificates-used"))
        .map(each -> each.getName() + " " + each.getHostsList()).toList();
  }

  @Test
  void everyLinkIsMeasuredInItsDirectionAndProgressIsTold() throws Exception {
    ValidationReport report = report();
    assertThat(troubles(report)).isEmpty();
    assertThat(report.getLinksList()).extracting(each -> each.getSource() + each.getDestination())
        .containsExactly("host-ahost-b", "host-bhost-a", "host-ahost-c", "host-chost-a", "host-bhost-c",
            "host-chost-b");
    assertThat(updates).hasSize(updates.getLast().getTotalSteps()).extracting(ValidateUpdate::getDoneSteps)
        .isSorted();
    await("files of trials are removed").until(played.files::isEmpty);
  }

  @Test
  void onlyHostsThatAreNamedAreLookedAt() throws Exception {
    ValidationReport report = report("host-b", "host-a");
    assertThat(report.getHostsList()).containsExactly("host-a", "host-b");
    assertThat(report.getLinksCount()).isEqualTo(2);
    assertThatThrownBy(() -> report("host-x")).isInstanceOf(RequestException.class).hasMessageContaining("host-x");
  }

  @Test
  void storageThatOneHostCannotWriteIsFound() throws Exception {
    played.readOnly = "host-b";
    assertThat(troubles(report())).containsExactly("storage-writable [host-b]");
  }

  @Test
  void aHostThatSeesNothingOfTheOthersIsFound() throws Exception {
    played.blind = "host-c";
    assertThat(troubles(report())).containsExactly("storage-same [host-c, host-a]", "storage-same [host-c, host-b]");
  }

  @Test
  void aHostWhoseLocksAreItsOwnIsFound() throws Exception {
    played.withoutLocks = "host-b";
    assertThat(troubles(report())).containsExactly("storage-locks [host-a, host-b]");
  }

  @Test
  void aHostThatSaysNothingIsFoundAndTheOthersAreStillLookedAt() throws Exception {
    played.silent = "host-a";
    ValidationReport report = report();
    assertThat(troubles(report)).containsExactly("hosts-answer [host-a]");
    assertThat(report.getLinksCount()).as("between the other two").isEqualTo(2);
  }

  @Test
  void linksOfAHostThatAMigrationHasReachedMeanwhileAreLeftAlone() throws Exception {
    played.busy = "host-b";
    ValidationReport report = report();
    assertThat(troubles(report)).isEmpty();
    assertThat(report.getChecksList().stream().filter(each -> each.getResult() == ValidationCheck.Result.SKIPPED)
        .map(each -> each.getHostsList().toString())).contains("[host-a, host-b]", "[host-c, host-b]");
  }

  @Test
  void aHostThatSaysWhatCannotBeIsNamedAndSpoilsNothing() throws Exception {
    played.lying = "host-b";
    ValidationReport report = report();
    assertThat(troubles(report)).containsExactly("hosts-answer [host-b]");
    assertThat(report.getSerializedSize()).isLessThan(20_000);
  }

  @Test
  void ofManyHostsEachIsMeasuredWithAFew() throws Exception {
    for (int i = 10; i < 23; i++) {
      site.register("host-" + i);
      site.heartbeat("host-" + i);
    }
    site.heartbeat("host-a", "host-b", "host-c");
    ValidationReport report = report();
    assertThat(report.getHostsCount()).isEqualTo(16);
    assertThat(report.getLinksCount()).isEqualTo(2 * 16 * Pair.NEIGHBOURS);
    assertThat(troubles(report)).isEmpty();
  }

  @Test
  void twoValidationsDoNotMeasureEachOther() throws Exception {
    played.answersLater = true;
    Validation validation = validation();
    Thread first = Thread.ofVirtual().start(() -> {
      try {
        validation.run(List.of(), updates::add);
      } catch (RequestException | InterruptedException e) {
        // The test ends it.
      }
    });
    await().until(() -> !updates.isEmpty());
    assertThatThrownBy(() -> validation.run(List.of(), _ -> {
    })).isInstanceOf(RequestException.class).hasMessageContaining("another validation is under way");
    first.interrupt();
    first.join();
    played.mayAnswer.countDown();
    assertThat(validation.run(List.of(), _ -> {
    }).getHostsCount()).as("it may be asked again").isEqualTo(3);
  }
}
