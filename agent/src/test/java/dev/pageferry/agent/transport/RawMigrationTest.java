package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.builtin.VirtualMachine;
import dev.pageferry.agent.memory.ChecksumTable;
import dev.pageferry.agent.memory.PageChecksum;
import dev.pageferry.agent.migration.destination.IncomingMigrations.State;
import dev.pageferry.agent.ownership.OwnershipClient.Outcome;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.CleanedUp;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.Running;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A source written frame by frame: where every page ends up, and what the destination makes of the end. */
class RawMigrationTest {
  private final ChecksumTable checksums = new ChecksumTable(HostileFixture.PAGES);
  private HostileFixture fixture;
  private RawSource source;
  private List<RawPeer> streams;

  @BeforeEach
  void start() throws Exception {
    fixture = new HostileFixture();
    source = fixture.source().accepted();
    streams = source.openStreams();
  }

  @AfterEach
  void close() throws Exception {
    fixture.close();
  }

  @Test
  void everyPageIsWhereItsFrameSaid() throws Exception {
    sendPage(0, 0, 1);
    sendPage(0, 257, 2);
    sendBatchPage(0, 515, 3);
    sendPage(0, HostileFixture.PAGES - 1, 4);
    endRound(0);
    sendPage(1, 257, 5);
    sendZeros(1, 512, 256);
    endRound(1);
    becomeReady(1);
    VirtualMachine vm = go();

    assertPage(vm, 0, 1);
    assertPage(vm, 257, 5);
    assertPage(vm, 515, 0);
    assertPage(vm, HostileFixture.PAGES - 1, 4);
    assertPage(vm, 1, 0);
  }

  @Test
  void pagesOfAnAttemptThatWentBackToPreCopyAreCorrectedByLaterRounds() throws Exception {
    sendPage(0, 3, 1);
    endRound(0);
    becomeReady(0);
    source.control.send(BackToPreCopy.getDefaultInstance());
    source.control.expect(BackToPreCopy.class);
    sendPage(1, 3, 2);
    endRound(1);
    becomeReady(1);

    assertPage(go(), 3, 2);
  }

  @Test
  void aSourceThatGoesBackWhileItsLastPagesAreStillOnTheirWayIsAnsweredAtOnce() throws Exception {
    sendPage(0, 3, 1);
    RawSource.endRoundAndAwait(streams.get(0), 0);
    checksums.set(257, RawSource.checksum(RawSource.contents(2)));
    source.control.send(source.bootState(0, checksums.digest()));
    source.control.send(BackToPreCopy.getDefaultInstance());
    source.control.expect(BackToPreCopy.class);
    assertThat(fixture.state()).isEqualTo(State.RECEIVING);
    sendPage(0, 257, 2);
    RawSource.endRoundAndAwait(streams.get(1), 0);
    sendPage(1, 3, 4);
    endRound(1);
    becomeReady(1);
    VirtualMachine vm = go();

    assertPage(vm, 3, 4);
    assertPage(vm, 257, 2);
  }

  @Test
  void aSourceThatEndsTheAttemptBeforeReadyLeavesNoDoubt() throws Exception {
    RawSource.endRoundAndAwait(streams.get(0), 0);
    source.control.send(source.bootState(0, 0));
    source.control.send(Refusal.newBuilder().setCode("CANCELLED").setMessage("by the test").build());

    fixture.awaitState(State.DISCARDED);
    assertThat(fixture.cluster.ledger.resolveCalls()).isZero();
  }

  @Test
  void aPageThatOnlyLooksLikeTheZeroPageToTheChecksumIsZeroedAllTheSame() throws Exception {
    byte[] lookalike = new byte[PageSize.BYTES];
    lookalike[0] = 1;
    System.arraycopy(HexFormat.of().parseHex("c474ae6b"), 0, lookalike, PageSize.BYTES - 4, 4);
    assertThat(RawSource.checksum(lookalike)).isEqualTo(PageChecksum.OF_ZERO_PAGE);
    streams.get(0).pages(RawSource.page(0, 9, lookalike));
    endRound(0);
    sendZeros(1, 9, 1);
    endRound(1);
    becomeReady(1);

    assertPage(go(), 9, 0);
  }

  @Test
  void aPageThatComesAfterGoNeverReachesTheGuest() throws Exception {
    endRound(0);
    becomeReady(0);
    fixture.cluster.ledger.decide(fixture.announced.id(), Outcome.COMMITTED);
    source.control.send(Go.newBuilder().setEpoch(2).build());
    source.control.expect(Running.class);
    streams.get(0).pages(RawSource.page(1, 9, RawSource.contents(7)));
    RawSource.endRound(streams.get(0), 1);
    streams.get(0).expectClosed();

    assertPage(fixture.target.find(fixture.spec.id()).orElseThrow().vm(), 9, 0);
  }

  @Test
  void aGoOfAnotherEpochIsNoPermission() throws Exception {
    endRound(0);
    becomeReady(0);
    source.control.send(Go.newBuilder().setEpoch(3).build());

    fixture.awaitState(State.DISCARDED);
    assertThat(fixture.cluster.ledger.resolveCalls()).isEqualTo(1);
    assertThat(fixture.target.adopted()).isEmpty();
    TestCluster.awaitFree(fixture.target, TestHost.MEMORY_BYTES);
  }

  @Test
  void aReadyDestinationWhoseSourceIsGoneDoesWhatTheRowSays() throws Exception {
    endRound(0);
    becomeReady(0);
    fixture.cluster.ledger.decide(fixture.announced.id(), Outcome.COMMITTED);
    source.close();

    await().atMost(TestCluster.PATIENCE).until(() -> !fixture.target.adopted().isEmpty());
    fixture.awaitState(State.RUNNING);
  }

  @Test
  void aReadyDestinationWhoseSourceRefusesDiscardsOnlyOnTheRowsWord() throws Exception {
    endRound(0);
    becomeReady(0);
    source.control.send(Refusal.newBuilder().setCode("CANCELLED").setMessage("by the test").build());

    fixture.awaitState(State.DISCARDED);
    assertThat(fixture.cluster.ledger.resolveCalls()).isEqualTo(1);
    assertThat(fixture.cluster.ledger.decide(fixture.announced.id(), Outcome.COMMITTED).outcome())
        .as("the answer is final").isEqualTo(Outcome.ABORTED);
  }

  private RawPeer streamOf(long page) {
    return streams.get((int) (page / 256 % HostileFixture.STREAMS));
  }

  private void sendPage(int round, long page, int value) throws Exception {
    streamOf(page).pages(RawSource.page(round, page, RawSource.contents(value)));
    checksums.set(page, RawSource.checksum(RawSource.contents(value)));
  }

  private void sendBatchPage(int round, long page, int value) throws Exception {
    streamOf(page).pages(RawSource.batch(round, page, RawSource.contents(value)));
    checksums.set(page, RawSource.checksum(RawSource.contents(value)));
  }

  private void sendZeros(int round, long first, long pages) throws Exception {
    streamOf(first).pages(RawSource.zeros(round, first, pages));
    for (long page = first; page < first + pages; page++) {
      checksums.set(page, PageChecksum.OF_ZERO_PAGE);
    }
  }

  private void endRound(int round) throws Exception {
    for (RawPeer each : streams) {
      RawSource.endRoundAndAwait(each, round);
    }
  }

  private void becomeReady(int lastRound) throws Exception {
    source.control.send(source.bootState(lastRound, checksums.digest()));
    source.control.expect(Ready.class);
    fixture.awaitState(State.READY);
    assertThat(fixture.target.adopted()).isEmpty();
  }

  private VirtualMachine go() throws Exception {
    fixture.cluster.ledger.decide(fixture.announced.id(), Outcome.COMMITTED);
    source.control.send(Go.newBuilder().setEpoch(2).build());
    source.control.expect(Running.class);
    source.control.expect(CleanedUp.class);
    return fixture.target.find(fixture.spec.id()).orElseThrow().vm();
  }

  private static void assertPage(VirtualMachine vm, long page, int value) {
    assertThat(vm.ram().window(page, 1)).as("page %d", page).isEqualTo(ByteBuffer.wrap(RawSource.contents(value)));
  }
}
