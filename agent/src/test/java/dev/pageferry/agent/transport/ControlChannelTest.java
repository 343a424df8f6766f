package dev.pageferry.agent.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.pageferry.agent.migration.MigrationFailure;
import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.common.time.Deadline;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.proto.migration.v1.Ping;
import dev.pageferry.proto.migration.v1.Pong;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Refusal;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ControlChannelTest {
  private static final int MOST_QUEUED = 64;
  private static final Deadline NOW = Deadline.after(Duration.ZERO, Ticker.SYSTEM);

  private final ControlChannel control = new ControlChannel(FailureCode.SOURCE_LOST);
  private final EmbeddedChannel channel = new EmbeddedChannel(control);

  @AfterEach
  void close() {
    channel.finishAndReleaseAll();
  }

  /** What the channel wrote next, but for pings of its own; null if nothing. */
  private @Nullable Object answer() {
    Object next = channel.readOutbound();
    while (next instanceof Ping) {
      next = channel.readOutbound();
    }
    return next;
  }

  @Test
  void aPingIsAnsweredAtOnceWithItsNonce() {
    channel.writeInbound(Ping.newBuilder().setNonce(42).build());

    assertThat(answer()).isEqualTo(Pong.newBuilder().setNonce(42).build());
  }

  @Test
  void aPeerThatReadsNoAnswersGetsNoMoreOfThem() {
    channel.unsafe().outboundBuffer().setUserDefinedWritability(1, false);
    channel.writeInbound(Ping.newBuilder().setNonce(42).build());

    assertThat(answer()).isNull();
  }

  @Test
  void messagesThatNobodyReceivesAreBoundedAndTheirSenderIsTold() throws Exception {
    for (int i = 0; i <= MOST_QUEUED; i++) {
      channel.writeInbound(Ready.newBuilder().setBytesReceived(i).build());
    }

    assertThat(answer()).isInstanceOfSatisfying(Refusal.class, refusal -> {
      assertThat(refusal.getCode()).isEqualTo("PROTOCOL_VIOLATION");
      assertThat(refusal.getMessage()).contains("more than 64 control messages");
    });
    assertThat(channel.isOpen()).isFalse();
    assertThat(control.isOpen()).isFalse();
    for (int i = 0; i < MOST_QUEUED; i++) {
      assertThat(((Ready) control.receiveAny(NOW, Ready.class)).getBytesReceived()).isEqualTo(i);
    }
    for (int i = 0; i < 2; i++) {
      assertThatExceptionOfType(MigrationFailure.PeerAtFault.class)
          .as("whoever asks again is told again").isThrownBy(() -> control.receiveAny(NOW, Ready.class));
    }
  }

  @Test
  void whatWasReceivedBeforeTheEndIsStillDelivered() throws Exception {
    channel.writeInbound(Ready.getDefaultInstance());
    channel.close();

    assertThat(control.receiveAny(NOW, Ready.class)).isInstanceOf(Ready.class);
    assertThatExceptionOfType(MigrationFailure.PeerLost.class)
        .isThrownBy(() -> control.receiveAny(NOW, Ready.class))
        .satisfies(lost -> assertThat(lost.code()).isEqualTo(FailureCode.SOURCE_LOST));
  }

  @Test
  void aRefusalIsTheReasonWhateverWasExpected() {
    channel.writeInbound(Refusal.newBuilder().setCode("CANCELLED").setMessage("by the operator").build());

    assertThatExceptionOfType(MigrationFailure.PeerRefused.class)
        .isThrownBy(() -> control.receiveAny(NOW, Ready.class)).withMessage("by the operator")
        .satisfies(refused -> assertThat(refused.code()).isEqualTo(FailureCode.CANCELLED));
  }

  @Test
  void longMessagesThatNobodyReceivesAreBoundedByTheirBytes() {
    Refusal longOne = Refusal.newBuilder().setMessage("x".repeat(900_000)).build();
    channel.writeInbound(longOne);
    assertThat(control.isOpen()).isTrue();
    channel.writeInbound(longOne);

    assertThat(answer()).isInstanceOfSatisfying(Refusal.class,
        refusal -> assertThat(refusal.getMessage()).contains("bytes of control messages"));
    assertThat(control.isOpen()).isFalse();
  }

  @Test
  void aFloodOfPingsIsAnsweredWithTheReason() {
    for (int i = 0; i < 100 && control.isOpen(); i++) {
      channel.writeInbound(Ping.newBuilder().setNonce(i).build());
    }
    Object answer = answer();
    while (answer instanceof Pong) {
      answer = answer();
    }

    assertThat(answer).isInstanceOfSatisfying(Refusal.class, refusal -> {
      assertThat(refusal.getCode()).isEqualTo("PROTOCOL_VIOLATION");
      assertThat(refusal.getMessage()).contains("more than 64 keep-alives");
    });
    assertThat(control.isOpen()).isFalse();
  }
}
