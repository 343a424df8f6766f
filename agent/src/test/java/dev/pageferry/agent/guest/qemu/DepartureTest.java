package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.pageferry.agent.guest.PushedPages;
import dev.pageferry.agent.memory.PageBitmap;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.page.PageSize;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a machine that leaves is asked for, at one switchover and, where that was put off while it stayed paused, at the next. */
@Timeout(60)
class DepartureTest {
  private static final long PAGES = TestStream.RAM_BYTES / PageSize.BYTES;
  /** Several parts. */
  private static final int LARGE_BYTES = 3 << 20;

  @TempDir
  Path directory;
  private final PushedPages pages = new PushedPages(PAGES, Scheduler.SYSTEM, () -> {
  });
  private PlayedQemu qemu;
  private Departure departure;

  @BeforeEach
  void begin() throws Exception {
    qemu = new PlayedQemu(directory.resolve("qmp"));
    departure = Departure.begin(qemu.monitor(), directory.resolve("stream"), Scheduler.SYSTEM, pages);
  }

  @AfterEach
  void close() throws Exception {
    departure.close(true);
    qemu.close();
  }

  /** What the firmware holds once these are put where they belong, one behind the other. */
  private static byte[] firmware(int bytes, MachineImage... told) {
    byte[] firmware = new byte[bytes];
    for (MachineImage each : told) {
      for (BlockContent content : each.contents()) {
        Arrays.fill(firmware, (int) content.offset(), (int) (content.offset() + content.length()), (byte) 0);
        System.arraycopy(content.bytes(), 0, firmware, (int) content.offset(), content.bytes().length);
      }
    }
    return firmware;
  }

  private static byte[] twoPages(int first, int second) {
    byte[] both = new byte[TestStream.BIOS_BYTES];
    Arrays.fill(both, 0, PageSize.BYTES, (byte) first);
    Arrays.fill(both, PageSize.BYTES, both.length, (byte) second);
    return both;
  }

  /** Goes over all of its memory once, so that what does not change can be told ahead. */
  private MachineImage toldAhead(TestStream firstPass) throws Exception {
    qemu.sends(firstPass.part().page(TestStream.RAM, 0, 1).endOfSection());
    await("it was read to its end").until(() -> pages.seemsDirty(0));
    qemu.passesOver(1);
    PageBitmap harvested = new PageBitmap(PAGES);
    await().until(() -> pages.harvest(harvested));
    qemu.sends(new TestStream().part().page(TestStream.RAM, 1, 1).endOfSection());
    return await().until(() -> departure.ahead(), Optional::isPresent).orElseThrow();
  }

  @Test
  void whatWasToldAheadIsLeftOutOfTheStateOnceAndIsInItAtTheNextSwitchover() throws Exception {
    MachineImage ahead = toldAhead(new TestStream().start().part().page(TestStream.BIOS, 0, 1)
        .page(TestStream.BIOS, 1, 2).endOfSection());
    qemu.sends(new TestStream().part().page(TestStream.BIOS, 1, 3).endOfSection().lastSection()
        .raw(TestStream.DEVICES));

    MachineImage first = departure.image();
    assertThat(first.contents()).extracting(BlockContent::offset).containsExactly((long) PageSize.BYTES);
    assertThat(firmware(TestStream.BIOS_BYTES, ahead, first)).isEqualTo(twoPages(1, 3));
    assertThat(departure.ahead()).isEmpty();

    MachineImage second = departure.image();
    assertThat(firmware(TestStream.BIOS_BYTES, second)).isEqualTo(twoPages(1, 3));
    assertThat(second.devices()).isEqualTo(first.devices());
    assertThat(firmware(TestStream.BIOS_BYTES, departure.image())).isEqualTo(twoPages(1, 3));
  }

  private static TestStream largeFirmware() {
    TestStream stream = new TestStream().start(LARGE_BYTES).part();
    for (int page = 0; page < LARGE_BYTES / PageSize.BYTES; page++) {
      stream.filled(TestStream.BIOS, page, 1);
    }
    return stream.endOfSection();
  }

  private static byte[] allOnes() {
    byte[] ones = new byte[LARGE_BYTES];
    Arrays.fill(ones, (byte) 1);
    return ones;
  }

  @Test
  void aMachineThatNeverRanMeanwhileGivesWhatIsTooLargeForOneMessageBehindItsStateAtEachSwitchover() throws Exception {
    qemu.sends(largeFirmware().lastSection().raw(TestStream.DEVICES));
    for (int switchover = 1; switchover <= 3; switchover++) {
      MachineImage image = departure.image();
      assertThat(image.contents()).isEmpty();
      assertThat(image.devices()).isEqualTo(TestStream.BARE_DEVICES);
      assertThat(firmware(LARGE_BYTES, departure.ahead().orElseThrow())).as("switchover %d", switchover)
          .isEqualTo(allOnes());
      assertThat(departure.ahead()).as("once for each").isEmpty();
    }
  }

  @Test
  void whatWentAheadInPartsGoesInPartsAgainAtTheNextSwitchover() throws Exception {
    assertThat(firmware(LARGE_BYTES, toldAhead(largeFirmware()))).isEqualTo(allOnes());
    qemu.sends(new TestStream().lastSection().raw(TestStream.DEVICES));
    assertThat(departure.image().contents()).isEmpty();
    assertThat(departure.ahead()).isEmpty();

    assertThat(departure.image().contents()).isEmpty();
    MachineImage again = departure.ahead().orElseThrow();
    assertThat(again.parts()).hasSizeGreaterThan(1);
    assertThat(firmware(LARGE_BYTES, again)).isEqualTo(allOnes());
  }

  @Test
  void aPassBesideRamCountsOnceWhatGoesAheadOfTheStateIsThere() throws Exception {
    try (PlayedQemu other = new PlayedQemu(directory.resolve("other"))) {
      Departure beside = Departure.beginBesideRam(other.monitor(), directory.resolve("beside"), Scheduler.SYSTEM);
      assertThat(beside.awaitPass(Duration.ZERO)).isFalse();

      other.sends(new TestStream().start().part().page(TestStream.BIOS, 0, 1).page(TestStream.BIOS, 1, 2)
          .endOfSection());
      assertThat(beside.awaitPass(Duration.ofMinutes(1))).isTrue();
      assertThat(firmware(TestStream.BIOS_BYTES, beside.ahead().orElseThrow())).isEqualTo(twoPages(1, 2));
      beside.close(true);
    }
  }

  @Test
  void aPassBesideRamCountsWhenThePartThatGoesAheadDoesNotCome() throws Exception {
    try (PlayedQemu other = new PlayedQemu(directory.resolve("other"))) {
      Departure beside = Departure.beginBesideRam(other.monitor(), directory.resolve("beside"), Scheduler.SYSTEM);
      await("it is not waited for without end").until(() -> beside.awaitPass(Duration.ZERO));
      assertThat(beside.ahead()).isEmpty();
      beside.close(true);
    }
  }

  @Test
  void aMachineThatIsHeldBackIsPausedWhileQemuReleasesIt() throws Exception {
    departure.throttle(50);
    departure.throttle(0);
    departure.close(true);
    departure.close(true);
    assertThat(qemu.told()).containsExactly("stop", "cancel while it is paused", "cont");
  }

  @Test
  void aMachineThatIsNotHeldBackRunsOnWhileItsMigrationIsEnded() throws Exception {
    departure.throttle(0);
    departure.close(true);
    assertThat(qemu.told()).containsExactly("cancel while it runs");
  }

  @Test
  void aMachineThatIsHeldBackAndPausedStaysPaused() throws Exception {
    departure.throttle(50);
    qemu.stops();
    departure.close(true);
    assertThat(qemu.told()).containsExactly("cancel while it is paused");
  }
}
