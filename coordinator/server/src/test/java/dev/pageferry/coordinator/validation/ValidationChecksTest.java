package dev.pageferry.coordinator.validation;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.Role;
import dev.pageferry.coordinator.validation.ClusterLook.ClockLook;
import dev.pageferry.coordinator.validation.ClusterLook.HostLook;
import dev.pageferry.coordinator.validation.ClusterLook.LinkLook;
import dev.pageferry.coordinator.validation.ClusterLook.OwnCertificate;
import dev.pageferry.coordinator.validation.ClusterLook.StorageLook;
import dev.pageferry.coordinator.validation.ClusterLook.StorageTrouble;
import dev.pageferry.proto.agent.v1.CertificateFacts;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import dev.pageferry.proto.agent.v1.NetworkCardFacts;
import dev.pageferry.proto.agent.v1.QemuFacts;
import dev.pageferry.proto.agent.v1.ResolvedName;
import dev.pageferry.proto.agent.v1.StorageFacts;
import dev.pageferry.proto.cluster.v1.ValidationCheck;
import dev.pageferry.proto.cluster.v1.ValidationCheck.Result;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** A fit cluster of three hosts, and one fault in it at a time. */
class ValidationChecksTest {
  private static final long GIB = 1L << 30;
  private static final Instant NOW = Instant.parse("2026-06-01T12:00:00Z");
  private static final List<String> NAMES = List.of("host-a", "host-b", "host-c");

  private final Map<String, HostLook> hosts = new TreeMap<>();
  private final List<StorageLook> storages = new ArrayList<>();
  private final Map<String, LinkLook> links = new TreeMap<>();
  private Optional<OwnCertificate> own = Optional.of(new OwnCertificate(new Member("north", Role.COORDINATOR, "c"),
      NOW.plus(Duration.ofDays(300))));

  ValidationChecksTest() {
    for (String each : NAMES) {
      hosts.put(each, host(each));
    }
    storages.add(storage());
    for (String a : NAMES) {
      NAMES.stream().filter(b -> !b.equals(a)).forEach(b -> link(a, b, 1.1e9, 1500));
    }
  }

  private static HostLook host(String name) {
    HostFacts.Builder facts = HostFacts.newBuilder().setVersion("0.2.0").setLowestProtocol(1).setHighestProtocol(1)
        .setManagement(NetworkCardFacts.newBuilder().setInterface("eth0").setMtu(1500))
        .setMigration(NetworkCardFacts.newBuilder().setInterface("eth1").setMtu(1500)).setMachineMemoryBytes(16 * GIB)
        .setQemu(QemuFacts.newBuilder().setVersion("10.0.2").setAccel("kvm").addMachineTypes("pc-q35-9.2")
            .addMachineTypes("pc-q35-10.0").addCpuModels("Haswell").addCpuModels("qemu64"))
        .addNames(ResolvedName.newBuilder().setName("node-a").addAddresses("10.0.0.1"))
        .setCertificate(CertificateFacts.newBuilder().setMember("host " + name).setCluster("north")
            .setNotAfterSeconds(NOW.plus(Duration.ofDays(200)).getEpochSecond()))
        .setStorage(StorageFacts.newBuilder().setId("s").setDirectory("/srv").setTotalBytes(100).setUsableBytes(50));
    return new HostLook(name, true, "0.2.0", "s", 8 * GIB, 6 * GIB, Map.of("vm-of-" + name, 2 * GIB),
        Optional.of(facts.build()), "", false, Optional.of(new ClockLook(0.01, 0.001, 0.0001, 0.0005)));
  }

  private static StorageLook storage(StorageTrouble... troubles) {
    return new StorageLook("s", NAMES, Map.of("host-a", 0.004, "host-b", 0.002), List.of(troubles));
  }

  private void link(String source, String destination, double rate, int pathMtu) {
    links.put(source + ">" + destination, new LinkLook(source, destination,
        Optional.of(LinkMeasure.newBuilder().setBytes((long) rate).setSeconds(1).setRoundTripSeconds(0.0002)
            .setPathMtu(pathMtu).build()),
        "", false, 0));
  }

  private void broken(String source, String destination, String trouble, boolean isSkipped) {
    links.put(source + ">" + destination, new LinkLook(source, destination, Optional.empty(), trouble, isSkipped, 0));
  }

  private void change(String host, UnaryOperator<HostLook> change) {
    hosts.computeIfPresent(host, (_, it) -> change.apply(it));
  }

  private void changeFacts(String host, Consumer<HostFacts.Builder> change) {
    change(host, it -> {
      HostFacts.Builder facts = it.facts().orElseThrow().toBuilder();
      change.accept(facts);
      return with(it, it.isUp(), it.guests(), Optional.of(facts.build()), it.clock());
    });
  }

  private static HostLook with(HostLook it, boolean isUp, Map<String, Long> guests, Optional<HostFacts> facts,
      Optional<ClockLook> clock) {
    return new HostLook(it.name(), isUp, facts.map(HostFacts::getVersion).orElse(it.version()), it.storageId(),
        it.memoryBytes(), it.memoryFreeBytes(), guests, facts, facts.isPresent() ? "" : "its agent does not answer",
        false,
        clock);
  }

  private ValidationReport report() {
    return ReportBuilder
        .of(new ClusterLook(List.copyOf(hosts.values()), storages, List.copyOf(links.values()), own, "0.2.0",
            NOW), 3);
  }

  /** What is not as it should be is this, and nothing else. */
  private ValidationCheck only(String name, Result result, String... about) {
    List<ValidationCheck> found = report().getChecksList().stream()
        .filter(each -> each.getResult() != Result.PASS).toList();
    assertThat(found).as("%s", found).hasSize(1);
    ValidationCheck check = found.getFirst();
    assertThat(check.getName()).isEqualTo(name);
    assertThat(check.getResult()).isEqualTo(result);
    assertThat(check.getHostsList()).containsExactly(about);
    assertThat(check.getReason()).isNotEmpty();
    if (result != Result.SKIPPED) {
      assertThat(check.getCure()).isNotEmpty();
      assertThat(report().getResult()).isEqualTo(result);
    }
    return check;
  }

  @Test
  void aFitClusterPassesEveryCheck() {
    ValidationReport report = report();
    assertThat(report.getChecksList()).allMatch(each -> each.getResult() == Result.PASS && each.getCure().isEmpty(),
        "passes");
    assertThat(report.getResult()).isEqualTo(Result.PASS);
    assertThat(report.getChecksList().stream().map(ValidationCheck::getCategory).distinct()).containsExactly("hosts",
        "storage", "network", "versions", "qemu", "memory", "clocks", "names", "certificates");
    assertThat(report.getLinksList()).hasSize(6);
  }

  @Test
  void vmsMoveBetweenTwoHostsAtLeast() {
    hosts.keySet().retainAll(List.of("host-a"));
    links.clear();
    assertThat(report().getResult()).isEqualTo(Result.FAIL);
    assertThat(report().getChecks(0).getReason()).isEqualTo("1 host is up; VMs move between two");
  }

  @Test
  void aHostThatIsDownAndOneThatSaysNothingAreFound() {
    change("host-c", it -> with(it, false, Map.of(), Optional.empty(), Optional.empty()));
    assertThat(only("hosts-answer", Result.FAIL, "host-c").getReason()).isEqualTo("no heartbeat from it");
    change("host-c", it -> with(it, true, Map.of(), Optional.empty(), Optional.empty()));
    assertThat(only("hosts-answer", Result.FAIL, "host-c").getReason()).contains("its agent does not answer");
  }

  @Test
  void storageThatDoesNotDoWhatDisksNeedIsFound() {
    storages.set(0, storage(new StorageTrouble(StorageChecks.WRITABLE, List.of("host-c"), "read-only file system")));
    only("storage-writable", Result.FAIL, "host-c");
    storages.set(0, storage(new StorageTrouble(StorageChecks.LOCKS, List.of("host-a", "host-c"), "both have it")));
    only("storage-locks", Result.FAIL, "host-a", "host-c");
    storages.set(0, storage(new StorageTrouble(StorageChecks.SAME, List.of("host-b", "host-c"), "not seen")));
    only("storage-same", Result.FAIL, "host-b", "host-c");
    storages.set(0, new StorageLook("s", NAMES, Map.of("host-a", 1.5), List.of()));
    assertThat(only("storage-flush", Result.WARN, "host-a").getReason()).contains("1.50 s");
    storages.set(0, storage());
    changeFacts("host-b", it -> it.getStorageBuilder().setUsableBytes(2));
    only("storage-room", Result.WARN, "host-b");
  }

  @Test
  void theOneHostWithOtherStorageIsNamed() {
    storages.set(0, new StorageLook("s", List.of("host-a", "host-b"), Map.of(), List.of()));
    storages.add(new StorageLook("t", List.of("host-c"), Map.of(), List.of()));
    assertThat(only("storage-shared", Result.FAIL, "host-c").getReason())
        .isEqualTo("other storage (t) than host-a, host-b");
  }

  @Test
  void oneCardForBothNetworksIsFound() {
    changeFacts("host-b", it -> it.getMigrationBuilder().setInterface("eth0"));
    only("two-networks", Result.WARN, "host-b");
    changeFacts("host-b", it -> it.getMigrationBuilder().setInterface("").setAddress("10.9.9.9"));
    assertThat(only("two-networks", Result.WARN, "host-b").getReason()).contains("10.9.9.9");
  }

  @Test
  void aMigrationPortThatIsNotReachedIsFoundInItsDirection() {
    broken("host-a", "host-c", "connection refused", false);
    assertThat(only("migration-reached", Result.FAIL, "host-a", "host-c").getReason())
        .isEqualTo("host-a does not reach host-c: connection refused");
    broken("host-a", "host-c", "a migration of host-a is under way", true);
    only("migration-reached", Result.SKIPPED, "host-a", "host-c");
    link("host-a", "host-c", 0, 1500);
    assertThat(only("migration-reached", Result.FAIL, "host-a", "host-c").getCure()).contains("MTU");
  }

  @Test
  void aHostThatIsCutOffIsNamedOnceAndNotByEachOfItsLinks() {
    for (String each : List.of("host-a", "host-b")) {
      broken(each, "host-c", "connection timed out", false);
      broken("host-c", each, "no route to host", false);
    }
    assertThat(only("migration-reached", Result.FAIL, "host-c").getReason()).endsWith("no route to host");
  }

  @Test
  void aLinkOfATenthOfTheOthersSpeedIsFound() {
    link("host-b", "host-c", 1.1e8, 1500);
    assertThat(only("migration-bandwidth", Result.WARN, "host-b", "host-c").getReason()).contains("110 MB/s",
        "1.10 GB/s");
  }

  @Test
  void aCardOfATenthOfTheOthersSpeedIsFoundThoughMostLinksAreSlowByIt() {
    for (String each : List.of("host-a", "host-b")) {
      link(each, "host-c", 1.1e8, 1500);
      link("host-c", each, 1.2e8, 1500);
    }
    assertThat(only("migration-bandwidth", Result.WARN, "host-c").getReason()).isEqualTo(
        "all its links have at most 120 MB/s; the fastest have 1.10 GB/s");
  }

  @Test
  void slowCardsAreFoundHoweverManyTheyAre() {
    hosts.put("host-d", host("host-d"));
    for (String each : NAMES) {
      link(each, "host-d", each.equals("host-a") ? 1.1e9 : 1e8, 1500);
      link("host-d", each, each.equals("host-a") ? 1.1e9 : 1e8, 1500);
    }
    for (String a : List.of("host-b", "host-c")) {
      for (String b : NAMES) {
        if (!a.equals(b)) {
          link(a, b, 1e8, 1500);
          link(b, a, 1e8, 1500);
        }
      }
    }
    assertThat(report().getChecksList().stream().filter(each -> each.getResult() == Result.WARN)
        .map(each -> each.getName() + each.getHostsList())).containsExactly("migration-bandwidth[host-b]",
            "migration-bandwidth[host-c]");
  }

  @Test
  void linksThatAreAllSlowAreFoundByThemselvesAndByTheirCards() {
    links.keySet().stream().toList().forEach(each -> link(each.split(">", 2)[0], each.split(">", 2)[1], 1.2e7, 1500));
    only("migration-bandwidth", Result.WARN);
    for (String each : List.copyOf(links.keySet())) {
      links.computeIfPresent(each, (_, it) -> new LinkLook(it.source(), it.destination(),
          it.measure().map(measure -> measure.toBuilder().setBytes(60_000_000).build()), "", false, 1.25e9));
    }
    assertThat(report().getChecksList().stream().filter(each -> each.getName().equals("migration-bandwidth")))
        .hasSize(3).allMatch(each -> each.getResult() == Result.WARN);
  }

  @Test
  void anAgentOfAnOlderVersionIsToldByItsVersionAndByNothingElse() {
    change("host-c",
        it -> new HostLook(it.name(), true, "0.1.0", it.storageId(), it.memoryBytes(), it.memoryFreeBytes(),
            it.guests(), Optional.empty(), "it cannot do this", true, it.clock()));
    assertThat(report().getChecksList().stream().filter(each -> each.getResult() != Result.PASS)
        .map(each -> each.getResult() + " " + each.getName() + each.getHostsList()))
        .containsExactly("SKIPPED hosts-answer[host-c]", "WARN versions-fit[host-c]");
  }

  @Test
  void oneSlowDirectionBetweenTwoHostsIsFound() {
    links.clear();
    hosts.remove("host-c");
    link("host-a", "host-b", 1e9, 1500);
    link("host-b", "host-a", 1e8, 1500);
    only("migration-bandwidth", Result.WARN, "host-b", "host-a");
  }

  @Test
  void aSmallerMtuIsFoundOnACardAndOnTheWay() {
    changeFacts("host-c", it -> it.getMigrationBuilder().setMtu(1400));
    assertThat(only("migration-mtu", Result.WARN, "host-c").getReason()).contains("1400", "1500");
    changeFacts("host-c", it -> it.getMigrationBuilder().setMtu(1500));
    link("host-a", "host-b", 1.1e9, 1380);
    only("migration-mtu", Result.WARN, "host-a", "host-b");
  }

  @Test
  void versionsThatDoNotFitAreFound() {
    changeFacts("host-b", it -> it.setVersion("0.1.0"));
    only("versions-fit", Result.WARN, "host-b");
    changeFacts("host-b", it -> it.setVersion("0.4.0"));
    only("versions-fit", Result.FAIL, "host-b");
    changeFacts("host-b", it -> it.setVersion("0.2.0").setLowestProtocol(2).setHighestProtocol(3));
    assertThat(report().getChecksList().stream().filter(each -> each.getName().equals("protocols-fit"))).hasSize(2)
        .allMatch(each -> each.getResult() == Result.FAIL);
  }

  @Test
  void whatAMachineOfQemuWouldMissIsFound() {
    changeFacts("host-a", it -> it.getQemuBuilder().clear().setTrouble("this host has no qemu-system-x86_64"));
    only("qemu-there", Result.WARN, "host-a");
    hosts.put("host-a", host("host-a"));
    changeFacts("host-b", it -> it.getQemuBuilder().clearCpuModels().addCpuModels("qemu64"));
    ValidationCheck model = only("qemu-cpu-models", Result.WARN, "host-b");
    assertThat(model.getReason()).contains("1 CPU model of other hosts is not there, such as Haswell");
    assertThat(model.getCure()).endsWith("qemu64");
    hosts.put("host-b", host("host-b"));
    changeFacts("host-c", it -> it.getQemuBuilder().setAccel("tcg"));
    only("qemu-accelerators", Result.WARN, "host-c");
  }

  @Test
  void tooLittleMemoryIsFound() {
    change("host-b", it -> with(it, true, Map.of("small", GIB, "big", 7 * GIB), it.facts(), it.clock()));
    assertThat(only("memory-headroom", Result.WARN, "host-b").getReason()).contains("VM big (7 GiB)");
    change("host-b", it -> with(it, true, Map.of("x", 5 * GIB, "y", 5 * GIB), it.facts(), it.clock()));
    assertThat(report().getResult()).as("one for each of the others").isEqualTo(Result.PASS);
    changeFacts("host-c", it -> it.setMachineMemoryBytes(4 * GIB));
    assertThat(only("memory-promised", Result.FAIL, "host-c").getReason()).contains("8 GiB", "4 GiB");
  }

  private void clock(double offset, double uncertainty, double rate, double rateUncertainty) {
    change("host-a", it -> with(it, true, it.guests(), it.facts(),
        Optional.of(new ClockLook(offset, uncertainty, rate, rateUncertainty))));
  }

  @Test
  void aClockThatIsOffIsFoundAndOneThatOnlyAnswersSlowlyIsNot() {
    clock(90, 0.001, 0, 0);
    assertThat(only("clock-offset", Result.WARN, "host-a").getReason()).contains("ahead of");
    clock(-4000, 0.001, 0, 0);
    assertThat(only("clock-offset", Result.FAIL, "host-a").getReason()).contains("behind");
    clock(0, 0.001, -0.2, 0.001);
    assertThat(only("clock-rate", Result.FAIL, "host-a").getReason()).contains("20.0 % slower");
    clock(0, 0.001, 0.02, 0.001);
    only("clock-rate", Result.WARN, "host-a");
    clock(2, 1.5, 0.08, 0.075);
    assertThat(report().getResult()).isEqualTo(Result.PASS);
  }

  @Test
  void namesThatLeadNowhereOrElsewhereAreFound() {
    changeFacts("host-b", it -> it.getNamesBuilder(0).clearAddresses().addAddresses("10.7.7.7"));
    assertThat(only("names-resolved", Result.WARN, "host-b").getReason()).contains("10.7.7.7", "10.0.0.1 on host-a");
    changeFacts("host-b", it -> it.getNamesBuilder(0).clearAddresses().setTrouble("unknown host"));
    only("names-resolved", Result.FAIL, "host-b");
  }

  @Test
  void aCertificateThatEndsSoonAndAClusterWithoutAnyAreFound() {
    changeFacts("host-c", it -> it.getCertificateBuilder()
        .setNotAfterSeconds(NOW.plus(Duration.ofDays(12)).getEpochSecond()));
    assertThat(only("certificates-valid", Result.WARN, "host-c").getReason()).contains("host host-c ends in 12 days");
    hosts.put("host-c", host("host-c"));
    own = Optional.of(new OwnCertificate(new Member("north", Role.COORDINATOR, "c"), NOW.minusSeconds(1)));
    only("certificates-valid", Result.FAIL);
    own = Optional.empty();
    only("certificates-used", Result.WARN);
  }
}
