package dev.pageferry.coordinator.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.cluster.v1.Vtep;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.registry.v1.NetworkDirectory;
import dev.pageferry.proto.registry.v1.TunnelEnd;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class NetworkMembersTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");

  private long now = 1;

  @TempDir
  private Path directory;

  private RecordStore store;
  private HostInventory inventory;
  private NetworkMembers members;

  @BeforeEach
  void open() throws IOException {
    store = SqliteRecordStore.open(directory);
    inventory = new HostInventory(store, Duration.ofSeconds(5), Duration.ZERO, () -> 1);
    members = new NetworkMembers(store, inventory, () -> now);
    register("a", "10.0.0.1:4789");
    register("b", "10.0.0.2:4789");
  }

  @AfterEach
  void close() {
    store.close();
  }

  private void register(String host, String vxlan) {
    inventory.register(HostRecord.newBuilder().setId(host).setIncarnation(host + "-1").setAddress(host + ":1")
        .setVxlanAddress(vxlan).build(), 1);
  }

  private List<String> namesFor(HostId host) {
    return members.directoryFor(host).getEndsList().stream().map(TunnelEnd::getName).toList();
  }

  private static void refused(Kind kind, String words, ThrowingCallable request) {
    assertThatThrownBy(request).isInstanceOfSatisfying(RequestException.class,
        refusal -> assertThat(refusal.kind()).isEqualTo(kind)).hasMessageContaining(words);
  }

  @Test
  void eachHostIsToldOfAllOthers() {
    assertThat(namesFor(A)).containsExactly("b");
    assertThat(namesFor(B)).containsExactly("a");
  }

  @Test
  void aHostWithoutATunnelIsNoMember() {
    register("c", "");

    assertThat(namesFor(A)).containsExactly("b");
  }

  @Test
  void whatAnOperatorAddedIsToldToAllHostsAndSurvivesARestart() throws RequestException {
    members.add("desk", "10.0.0.30:4789", 7);

    NetworkMembers afterwards = new NetworkMembers(store, inventory, () -> now);
    assertThat(afterwards.directoryFor(A).getEndsList())
        .contains(TunnelEnd.newBuilder().setName("desk").setAddress("10.0.0.30:4789").setVni(7).setAnyPort(true)
            .build());
    assertThat(afterwards.list()).extracting(Vtep::getName, Vtep::getHost)
        .contains(tuple("desk", false), tuple("a", true));

    afterwards.delete("desk");
    assertThat(afterwards.list()).extracting(Vtep::getName).containsExactly("a", "b");
  }

  @Test
  void aVisitorIsThereForAsLongAsItStays() throws RequestException {
    try (NetworkMembers.Visit visit = members.visit("10.0.0.40:5000", 7)) {
      assertThat(visit).isNotNull();
      assertThat(members.directoryFor(A).getEndsList()).extracting(TunnelEnd::getAddress).contains("10.0.0.40:5000");
      assertThat(members.list()).hasSize(2);
    }
    assertThat(namesFor(A)).containsExactly("b");
  }

  @Test
  void visitorsHaveAMomentToComeAgainAfterARestart() {
    assertThat(members.isComplete()).as("nobody was there before").isTrue();

    NetworkMembers afterwards = new NetworkMembers(store, inventory, () -> now);
    assertThat(afterwards.isComplete()).isFalse();
    now += Duration.ofSeconds(6).toNanos();
    assertThat(afterwards.isComplete()).isTrue();
  }

  @Test
  void theVersionTellsDifferentDirectoriesApartAndIsTheSameForTheSame() throws RequestException {
    NetworkDirectory before = members.directoryFor(A);
    members.add("desk", "10.0.0.30:4789", 7);
    NetworkDirectory with = members.directoryFor(A);
    members.delete("desk");
    NetworkDirectory after = members.directoryFor(A);

    assertThat(with.getVersion()).isNotEqualTo(before.getVersion()).isNotZero();
    assertThat(after).isEqualTo(before);
    assertThat(new NetworkMembers(store, inventory, () -> now).directoryFor(A)).isEqualTo(before);
  }

  @Test
  void aChangeIsKnownOnceAllHostsThatAreUpHaveSaidSo() throws Exception {
    var _ = members.news(A, members.directoryFor(A).getVersion());
    var _ = members.news(B, 0);
    assertThat(members.awaitKnown(Duration.ZERO)).isFalse();

    var _ = members.news(B, members.directoryFor(B).getVersion());

    assertThat(members.awaitKnown(Duration.ZERO)).isTrue();
  }

  @Test
  void whatCannotBeIsRefusedByName() throws RequestException {
    refused(Kind.INVALID, "0.0.0.0", () -> members.add("desk", "0.0.0.0:4789", 7));
    refused(Kind.INVALID, "10.0.0.9:0", () -> members.add("desk", "10.0.0.9:0", 7));
    refused(Kind.INVALID, "HOST:PORT", () -> members.add("desk", "10.0.0.9", 7));
    refused(Kind.INVALID, "VNI", () -> members.add("desk", "10.0.0.9:4789", 1 << 24));
    refused(Kind.INVALID, "VTEP name", () -> members.add("no/name", "10.0.0.9:4789", 7));
    refused(Kind.EXISTS, "is a host", () -> members.add("a", "10.0.0.9:4789", 7));
    refused(Kind.REFUSED, "a's address", () -> members.add("desk", "10.0.0.1:4789", 7));
    refused(Kind.REFUSED, "a's address", () -> members.visit("10.0.0.1:4789", 7));
    refused(Kind.NOT_FOUND, "nobody", () -> members.delete("nobody"));
    refused(Kind.REFUSED, "is a host", () -> members.delete("a"));
    refused(Kind.INVALID, "IP address", () -> members.add("desk", "localhost:4789", 7));
    members.add("desk", "10.0.0.9:4789", 7);
    refused(Kind.EXISTS, "exists already", () -> members.add("desk", "10.0.0.8:4789", 7));
  }

  @Test
  void visitorsAreBounded() throws RequestException {
    for (int i = 0; i < NetworkMembers.MAX_VISITORS; i++) {
      NetworkMembers.Visit unused = members.visit("10.1.0.1:" + (1000 + i), 7);
    }

    refused(Kind.REFUSED, "visitors", () -> members.visit("10.1.0.1:999", 7));
  }
}
