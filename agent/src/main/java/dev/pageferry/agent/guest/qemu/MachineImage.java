package dev.pageferry.agent.guest.qemu;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.agent.guest.GuestConsole.Output;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.proto.qemu.v1.MachineState;
import java.util.ArrayList;
import java.util.List;

/**
 * A paused machine but for its RAM.
 *
 * @param machine its type and version, as QEMU names it
 * @param ramTotal bytes of all blocks
 * @param ramSection number of the section of RAM in the stream
 * @param blocks of memory, RAM among them
 * @param commands that came before the devices
 * @param devices the stream from there to its end
 * @param console the newest that the guest wrote to its console
 */
@SuppressWarnings("ArrayRecordComponent") // neither compared nor changed
record MachineImage(String machine, long ramTotal, int ramSection, List<MachineBlock> blocks,
    List<StreamCommand> commands, byte[] devices, Output console) {
  static final String KIND = "qemu";
  private static final int VERSION = 1;

  /** A machine that has written nothing. */
  MachineImage(String machine, long ramTotal, int ramSection, List<MachineBlock> blocks, List<StreamCommand> commands,
      byte[] devices) {
    this(machine, ramTotal, ramSection, blocks, commands, devices, new Output(0, new byte[0]));
  }

  MachineImage with(Output written) {
    return new MachineImage(machine, ramTotal, ramSection, blocks, commands, devices, written);
  }

  GuestState toState() {
    MachineState.Builder state = MachineState.newBuilder().setMachine(machine).setRamTotal(ramTotal)
        .setRamSection(ramSection).setDevices(ByteString.copyFrom(devices)).setConsoleOffset(console.offset())
        .setConsole(ByteString.copyFrom(console.data()));
    blocks.forEach(each -> state.addBlocks(MachineState.Block.newBuilder().setName(each.name())
        .setLength(each.length()).setContent(withoutLastZeros(each.content()))));
    commands.forEach(each -> state.addCommands(MachineState.Command.newBuilder().setNumber(each.number())
        .setData(ByteString.copyFrom(each.data()))));
    return new GuestState(KIND, VERSION, state.build().toByteArray());
  }

  private static ByteString withoutLastZeros(byte[] content) {
    int end = content.length;
    while (end > 0 && content[end - 1] == 0) {
      end--;
    }
    return ByteString.copyFrom(content, 0, end);
  }

  /**
   * @param ramBlock of which only the length counts
   * @throws IllegalArgumentException if it is not the state of such a machine
   */
  static MachineImage of(GuestState state, String ramBlock) {
    if (!state.kind().equals(KIND) || state.version() != VERSION) {
      throw new IllegalArgumentException("a state of kind '%s', version %d, expected '%s', version %d".formatted(
          state.kind(), state.version(), KIND, VERSION));
    }
    MachineState message;
    try {
      message = MachineState.parseFrom(state.blob());
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException("a state that cannot be read: " + e.getMessage(), e);
    }
    List<MachineBlock> blocks = new ArrayList<>();
    long kept = 0;
    for (MachineState.Block each : message.getBlocksList()) {
      boolean isRam = each.getName().equals(ramBlock);
      kept += isRam ? 0 : each.getLength();
      if (each.getLength() <= 0 || kept > StreamReader.MOST_BYTES || each.getContent().size() > each.getLength()
          || each.getName().length() > StreamFormat.LONGEST_NAME) {
        throw new IllegalArgumentException("block %s of %d bytes with %d bytes of content".formatted(each.getName(),
            each.getLength(), each.getContent().size()));
      }
      byte[] content = new byte[isRam ? 0 : (int) each.getLength()];
      if (!isRam) {
        each.getContent().copyTo(content, 0);
      }
      blocks.add(new MachineBlock(each.getName(), each.getLength(), content));
    }
    for (MachineState.Command each : message.getCommandsList()) {
      if (each.getNumber() < 0 || each.getNumber() > StreamFormat.MAX_SHORT
          || each.getData().size() > StreamFormat.MAX_SHORT) {
        throw new IllegalArgumentException(
            "command %d with %d bytes".formatted(each.getNumber(), each.getData().size()));
      }
    }
    return new MachineImage(message.getMachine(), message.getRamTotal(), message.getRamSection(), blocks,
        message.getCommandsList().stream()
            .map(each -> new StreamCommand(each.getNumber(), each.getData().toByteArray())).toList(),
        message.getDevices().toByteArray(),
        new Output(Math.max(0, message.getConsoleOffset()), message.getConsole().toByteArray()));
  }
}
