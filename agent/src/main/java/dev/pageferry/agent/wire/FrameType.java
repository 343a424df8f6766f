package dev.pageferry.agent.wire;

import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import dev.pageferry.proto.migration.v1.BackToPreCopy;
import dev.pageferry.proto.migration.v1.CleanedUp;
import dev.pageferry.proto.migration.v1.DisksFlushed;
import dev.pageferry.proto.migration.v1.FlushDisks;
import dev.pageferry.proto.migration.v1.Go;
import dev.pageferry.proto.migration.v1.GuestState;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.migration.v1.LinkCounted;
import dev.pageferry.proto.migration.v1.LinkProbe;
import dev.pageferry.proto.migration.v1.LinkProbeWelcome;
import dev.pageferry.proto.migration.v1.Ping;
import dev.pageferry.proto.migration.v1.Pong;
import dev.pageferry.proto.migration.v1.Ready;
import dev.pageferry.proto.migration.v1.Refusal;
import dev.pageferry.proto.migration.v1.RoundAck;
import dev.pageferry.proto.migration.v1.RoundEnd;
import dev.pageferry.proto.migration.v1.Running;
import dev.pageferry.proto.migration.v1.SetupAccepted;
import dev.pageferry.proto.migration.v1.StateAhead;
import dev.pageferry.proto.migration.v1.StateAheadTaken;
import dev.pageferry.proto.migration.v1.StateSaved;
import dev.pageferry.proto.migration.v1.StreamHello;
import dev.pageferry.proto.migration.v1.StreamWelcome;
import dev.pageferry.proto.migration.v1.VmConfiguration;
import dev.pageferry.proto.migration.v1.Welcome;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Every kind of frame. Control frames have a Protocol Buffers message for a body, page frames a layout of their own. */
public enum FrameType {
  /** Source: who it is, by the migration's token. */
  HELLO(1, Hello.getDefaultInstance()),
  /** Destination: the version, and the session key. */
  WELCOME(2, Welcome.getDefaultInstance()),
  /** Source, first on a data stream: proof of the session key. */
  STREAM_HELLO(3, StreamHello.getDefaultInstance()),
  /** Destination: pages may come. */
  STREAM_WELCOME(4, StreamWelcome.getDefaultInstance()),
  /** Source: what VM comes. */
  VM_CONFIGURATION(5, VmConfiguration.getDefaultInstance()),
  /** Destination: its memory is there. */
  SETUP_ACCEPTED(6, SetupAccepted.getDefaultInstance()),
  /** Either: the attempt ends, and why. */
  REFUSAL(7, Refusal.getDefaultInstance()),
  /** Source, on a data stream: its last frame of a round. */
  ROUND_END(8, RoundEnd.getDefaultInstance()),
  /** Destination, on a data stream: what it received so far. */
  ROUND_ACK(9, RoundAck.getDefaultInstance()),
  /** Source: registers, and the digest of all pages. */
  GUEST_STATE(10, GuestState.getDefaultInstance()),
  /** Destination: everything is here and right. */
  READY(11, Ready.getDefaultInstance()),
  /** Source: the guest runs again, more rounds come. Destination: it is ready for them. */
  BACK_TO_PRE_COPY(12, BackToPreCopy.getDefaultInstance()),
  /** Source: the VM is the destination's. */
  GO(13, Go.getDefaultInstance()),
  /** Destination: the guest runs there, or stays paused by the operator's wish. */
  RUNNING(14, Running.getDefaultInstance()),
  /** Destination: the network knows. */
  CLEANED_UP(15, CleanedUp.getDefaultInstance()),
  /** Either. */
  PING(16, Ping.getDefaultInstance()),
  /** Answer to a ping. */
  PONG(17, Pong.getDefaultInstance()),
  /** Source, in a quick migration: the state is whole on shared storage. */
  STATE_SAVED(18, StateSaved.getDefaultInstance()),
  /** Source: what came for the disks is to be made safe. */
  FLUSH_DISKS(19, FlushDisks.getDefaultInstance()),
  /** Destination: it is. */
  DISKS_FLUSHED(20, DisksFlushed.getDefaultInstance()),
  /** Source: a part of the state, while the guest still runs. */
  STATE_AHEAD(21, StateAhead.getDefaultInstance()),
  /** Destination: it has it. */
  STATE_AHEAD_TAKEN(22, StateAheadTaken.getDefaultInstance()),
  /** Source, first on a connection that measures the link: a token. */
  LINK_PROBE(23, LinkProbe.getDefaultInstance()),
  /** Destination: bytes may come. */
  LINK_PROBE_WELCOME(24, LinkProbeWelcome.getDefaultInstance()),
  /** Destination: so many came. */
  LINK_COUNTED(25, LinkCounted.getDefaultInstance()),
  /** Neighbouring pages. */
  PAGE_RUN(32, null),
  /** Scattered pages. */
  PAGE_BATCH(33, null),
  /** Ranges of zero pages. */
  ZERO_RANGES(34, null);

  private static final Map<Integer, FrameType> BY_CODE = new HashMap<>();
  private static final Map<Class<?>, FrameType> BY_MESSAGE = new HashMap<>();

  static {
    for (FrameType type : values()) {
      BY_CODE.put(type.code, type);
      if (type.prototype != null) {
        BY_MESSAGE.put(type.prototype.getClass(), type);
      }
    }
  }

  private final int code;
  private final @Nullable MessageLite prototype;

  FrameType(int code, @Nullable MessageLite prototype) {
    this.code = code;
    this.prototype = prototype;
  }

  public int code() {
    return code;
  }

  /** The type of a code, or null for a code of another version. */
  public static @Nullable FrameType ofCode(int code) {
    return BY_CODE.get(code);
  }

  static FrameType ofMessage(MessageLite message) {
    FrameType type = BY_MESSAGE.get(message.getClass());
    if (type == null) {
      throw new IllegalArgumentException("%s is not the body of a frame".formatted(message.getClass().getName()));
    }
    return type;
  }

  public boolean isPageFrame() {
    return prototype == null;
  }

  Parser<? extends MessageLite> parser() {
    if (prototype == null) {
      throw new IllegalStateException("%s has no message for a body".formatted(this));
    }
    return prototype.getParserForType();
  }
}
