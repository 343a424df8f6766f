package dev.pageferry.agent.migration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.agent.guest.builtin.MachineState;
import dev.pageferry.agent.guest.builtin.ProgramSpec;
import dev.pageferry.agent.guest.builtin.Registers;
import dev.pageferry.agent.guest.builtin.VmSpec;
import dev.pageferry.common.identity.OwnershipEpoch;
import dev.pageferry.common.identity.VmId;
import dev.pageferry.proto.migration.v1.SavedStateHeader;
import dev.pageferry.proto.migration.v1.Vcpu;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StateMessagesTest {
  private static final MachineState REGISTERS = new MachineState(
      List.of(new Registers(new long[]{1, 2, 3, 4, 5, 6, 7, -8}), new Registers(new long[]{9, 0, 0, 0, 0, 0, 0, 1})));
  private static final GuestState OTHER = new GuestState("other", 4, new byte[]{7, 0, 9});

  private static VmSpec spec() {
    return VmSpec.diskless(new VmId("vm-1"), "db", 1 << 20, 2, new ProgramSpec("idle", Map.of(), 1 << 20, 2));
  }

  @Test
  void theBuiltInMachinesStateTravelsAsTheVersionBeforeReadsIt() {
    var message = StateMessages.toProto(REGISTERS.toGuestState(), 3, 77, true);
    assertThat(message.getVcpusList()).extracting(Vcpu::getRegistersList)
        .containsExactly(List.of(1L, 2L, 3L, 4L, 5L, 6L, 7L, -8L), List.of(9L, 0L, 0L, 0L, 0L, 0L, 0L, 1L));
    assertThat(message.hasState()).isFalse();
    assertThat(MachineState.of(StateMessages.fromProto(message))).isEqualTo(REGISTERS);

    SavedStateHeader header = StateMessages.toHeader(spec(), new OwnershipEpoch(5), REGISTERS.toGuestState(), true);
    assertThat(header.getVcpusList()).isEqualTo(message.getVcpusList());
    assertThat(header.hasState()).isFalse();
    assertThat(MachineState.of(StateMessages.fromHeader(header))).isEqualTo(REGISTERS);
  }

  @Test
  void theStateOfAnotherKindOfMachineKeepsItsKindAndVersion() {
    var message = StateMessages.toProto(OTHER, 3, 77, false);
    assertThat(message.getVcpusList()).isEmpty();
    assertThat(StateMessages.fromProto(message)).usingRecursiveComparison().isEqualTo(OTHER);
    assertThat(StateMessages.fromHeader(StateMessages.toHeader(spec(), new OwnershipEpoch(5), OTHER, false)))
        .usingRecursiveComparison().isEqualTo(OTHER);
  }

  @Test
  void aLaterVersionOfTheBuiltInMachinesStateDoesNotPassForTheFirst() {
    GuestState later = new GuestState("builtin", 2, REGISTERS.toGuestState().blob());
    var message = StateMessages.toProto(later, 0, 0, false);
    assertThat(message.getVcpusList()).isEmpty();
    assertThatThrownBy(() -> MachineState.of(StateMessages.fromProto(message)))
        .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("version 2");
  }

  @Test
  void aMachineRefusesTheStateOfAnotherKindAndOneThatIsCutOff() {
    assertThatThrownBy(() -> MachineState.of(OTHER)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'other'");
    assertThatThrownBy(() -> MachineState.of(new GuestState("builtin", 1, new byte[63])))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void registersThatAreNotEightAreRefused() {
    var message = dev.pageferry.proto.migration.v1.GuestState.newBuilder()
        .addVcpus(Vcpu.newBuilder().addRegisters(1)).build();
    assertThatThrownBy(() -> StateMessages.fromProto(message)).isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 registers");
  }
}
