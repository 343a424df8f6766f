package dev.pageferry.agent.migration;

import com.google.protobuf.ByteString;
import dev.pageferry.agent.guest.GuestSpec;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.proto.migration.v1.OpaqueState;
import dev.pageferry.proto.migration.v1.SavedStateHeader;
import dev.pageferry.proto.migration.v1.StateAhead;
import dev.pageferry.proto.migration.v1.Vcpu;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * The state of a guest in messages and files, and back.
 *
 * <p>There was one kind of machine before kinds had names, and its state was a list of vCPUs in a field of its own. So that the
 * version before reads what this one writes, and this one what that wrote, this state still travels there: without a kind it is
 * of {@value #FIRST_KIND}, version {@value #FIRST_VERSION}, whose bytes are the registers in vCPU order, each eight bytes
 * little-endian.
 */
public final class StateMessages {
  private static final String FIRST_KIND = "builtin";
  private static final int FIRST_VERSION = 1;
  private static final int REGISTERS = 8;

  private StateMessages() {
  }

  /**
   * What a source says with its last pages.
   *
   * @param digest of all pages as sent last
   */
  public static dev.pageferry.proto.migration.v1.GuestState toProto(GuestState state, int lastRound, long digest,
      boolean operatorPaused) {
    var message = dev.pageferry.proto.migration.v1.GuestState.newBuilder().setLastRound(lastRound).setPageDigest(digest)
        .setOperatorPaused(operatorPaused);
    if (isFirst(state)) {
      message.addAllVcpus(vcpus(state));
    } else {
      message.setState(opaque(state));
    }
    return message.build();
  }

  /** A part of a state, of a machine that has such parts. */
  public static StateAhead toAhead(GuestState part) {
    return StateAhead.newBuilder().setState(opaque(part)).build();
  }

  public static GuestState fromAhead(StateAhead message) {
    return state(message.getState());
  }

  /** @throws IllegalArgumentException if a register file is not one */
  public static GuestState fromProto(dev.pageferry.proto.migration.v1.GuestState message) {
    return message.hasState() ? state(message.getState()) : state(message.getVcpusList());
  }

  /** What a saved state holds beside pages. */
  public static SavedStateHeader toHeader(GuestSpec spec, OwnershipEpoch epoch, GuestState state,
      boolean operatorPaused) {
    SavedStateHeader.Builder header = SavedStateHeader.newBuilder().setSpec(spec.toMessage()).setEpoch(epoch.value())
        .setOperatorPaused(operatorPaused);
    if (isFirst(state)) {
      header.addAllVcpus(vcpus(state));
    } else {
      header.setState(opaque(state));
    }
    return header.build();
  }

  /** @throws IllegalArgumentException if a register file is not one */
  public static GuestState fromHeader(SavedStateHeader header) {
    return header.hasState() ? state(header.getState()) : state(header.getVcpusList());
  }

  private static boolean isFirst(GuestState state) {
    return state.kind().equals(FIRST_KIND) && state.version() == FIRST_VERSION;
  }

  private static OpaqueState opaque(GuestState state) {
    return OpaqueState.newBuilder().setKind(state.kind()).setVersion(state.version())
        .setBlob(ByteString.copyFrom(state.blob())).build();
  }

  private static GuestState state(OpaqueState message) {
    return new GuestState(message.getKind(), message.getVersion(), message.getBlob().toByteArray());
  }

  private static List<Vcpu> vcpus(GuestState state) {
    ByteBuffer blob = ByteBuffer.wrap(state.blob()).order(ByteOrder.LITTLE_ENDIAN);
    List<Vcpu> vcpus = new ArrayList<>();
    while (blob.hasRemaining()) {
      Vcpu.Builder vcpu = Vcpu.newBuilder();
      for (int i = 0; i < REGISTERS; i++) {
        vcpu.addRegisters(blob.getLong());
      }
      vcpus.add(vcpu.build());
    }
    return vcpus;
  }

  private static GuestState state(List<Vcpu> vcpus) {
    ByteBuffer blob = ByteBuffer.allocate(vcpus.size() * REGISTERS * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (Vcpu each : vcpus) {
      if (each.getRegistersCount() != REGISTERS) {
        throw new IllegalArgumentException(
            "%d registers of a vCPU, expected %d".formatted(each.getRegistersCount(), REGISTERS));
      }
      each.getRegistersList().forEach(blob::putLong);
    }
    return new GuestState(FIRST_KIND, FIRST_VERSION, blob.array());
  }
}
