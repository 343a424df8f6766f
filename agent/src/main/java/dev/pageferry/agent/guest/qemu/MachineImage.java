package dev.pageferry.agent.guest.qemu;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.agent.guest.GuestConsole.Output;
import dev.pageferry.agent.guest.GuestState;
import dev.pageferry.common.page.PageSize;
import dev.pageferry.proto.qemu.v1.MachineState;
import java.util.ArrayList;
import java.util.List;

/**
 * A paused machine but for its RAM, or a part of it that is told ahead.
 *
 * @param memory what its stream says about its memory
 * @param contents of the blocks beside RAM; of pages that are named twice the later counts
 * @param commands that came before the devices
 * @param devices the stream from there to its end; empty of a part
 * @param console the newest that the guest wrote to its console
 */
@SuppressWarnings("ArrayRecordComponent") // neither compared nor changed
record MachineImage(Memory memory, List<BlockContent> contents, List<StreamCommand> commands, byte[] devices,
    Output console) {
  static final String KIND = "qemu";
  private static final int VERSION = 2;
  /** Bytes of one part's contents: its message has at most 1 MiB. */
  private static final int LONGEST_PART = 512 << 10;
  private static final Output NOTHING = new Output(0, new byte[0]);

  /**
   * Of a machine's memory, the same from the beginning of its stream to the end.
   *
   * @param machine its type and version, as QEMU names it
   * @param total bytes of all blocks
   * @param section number of the section of RAM in the stream
   * @param blocks in QEMU's order, RAM among them
   */
  record Memory(String machine, long total, int section, List<MachineBlock> blocks) {
  }

  MachineImage with(Output written) {
    return new MachineImage(memory, contents, commands, devices, written);
  }

  /** A part of a machine, of which nothing but contents is known yet. */
  static MachineImage ahead(Memory memory, List<BlockContent> contents) {
    return new MachineImage(memory, contents, List.of(), new byte[0], NOTHING);
  }

  static MachineImage whole(Memory memory, List<BlockContent> contents, List<StreamCommand> commands,
      byte[] devices) {
    return new MachineImage(memory, contents, commands, devices, NOTHING);
  }

  /** With the contents of a part that was not told ahead after all. */
  MachineImage behind(MachineImage part) {
    List<BlockContent> all = new ArrayList<>(part.contents());
    all.addAll(contents);
    return new MachineImage(memory, all, commands, devices, console);
  }

  /** Of what is told ahead: parts that fit into a message each. */
  List<MachineImage> parts() {
    List<MachineImage> parts = new ArrayList<>();
    List<BlockContent> part = new ArrayList<>();
    long bytes = 0;
    for (BlockContent each : contents) {
      if (bytes + each.bytes().length > LONGEST_PART) {
        parts.add(ahead(memory, List.copyOf(part)));
        part.clear();
        bytes = 0;
      }
      part.add(each);
      bytes += each.bytes().length;
    }
    parts.add(ahead(memory, List.copyOf(part)));
    return parts;
  }

  GuestState toState() {
    MachineState.Builder state = MachineState.newBuilder().setMachine(memory.machine()).setRamTotal(memory.total())
        .setRamSection(memory.section()).setDevices(ByteString.copyFrom(devices)).setConsoleOffset(console.offset())
        .setConsole(ByteString.copyFrom(console.data()));
    memory.blocks().forEach(each -> state.addBlocks(MachineState.Block.newBuilder().setName(each.name())
        .setLength(each.length())));
    contents.forEach(each -> state.addContents(MachineState.Content.newBuilder().setBlock(each.block())
        .setOffset(each.offset()).setLength(each.length()).setBytes(ByteString.copyFrom(each.bytes()))));
    commands.forEach(each -> state.addCommands(MachineState.Command.newBuilder().setNumber(each.number())
        .setData(ByteString.copyFrom(each.data()))));
    return new GuestState(KIND, VERSION, state.build().toByteArray());
  }

  /**
   * @param ramBlock of which no content is taken
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
    List<MachineBlock> blocks = blocks(message, ramBlock);
    // A few bytes may name many pages of zeros.
    long named = message.getContentsList().stream()
        .mapToLong(each -> Math.min(each.getLength(), StreamReader.MOST_BYTES))
        .sum();
    if (named > StreamReader.MOST_BYTES) {
      throw new IllegalArgumentException("contents of %d bytes or more, of blocks that have at most %d".formatted(named,
          StreamReader.MOST_BYTES));
    }
    for (MachineState.Command each : message.getCommandsList()) {
      if (each.getNumber() < 0 || each.getNumber() > StreamFormat.MAX_SHORT
          || each.getData().size() > StreamFormat.MAX_SHORT) {
        throw new IllegalArgumentException(
            "command %d with %d bytes".formatted(each.getNumber(), each.getData().size()));
      }
    }
    return new MachineImage(
        new Memory(message.getMachine(), message.getRamTotal(), message.getRamSection(), blocks),
        message.getContentsList().stream().map(each -> content(each, blocks, ramBlock)).toList(),
        message.getCommandsList().stream()
            .map(each -> new StreamCommand(each.getNumber(), each.getData().toByteArray())).toList(),
        message.getDevices().toByteArray(),
        new Output(Math.max(0, message.getConsoleOffset()), message.getConsole().toByteArray()));
  }

  private static List<MachineBlock> blocks(MachineState message, String ramBlock) {
    List<MachineBlock> blocks = new ArrayList<>();
    long kept = 0;
    for (MachineState.Block each : message.getBlocksList()) {
      kept += each.getName().equals(ramBlock) ? 0 : each.getLength();
      if (each.getLength() <= 0 || kept > StreamReader.MOST_BYTES
          || each.getName().length() > StreamFormat.LONGEST_NAME) {
        throw new IllegalArgumentException("block %s of %d bytes".formatted(each.getName(), each.getLength()));
      }
      blocks.add(new MachineBlock(each.getName(), each.getLength()));
    }
    return List.copyOf(blocks);
  }

  private static BlockContent content(MachineState.Content each, List<MachineBlock> blocks, String ramBlock) {
    boolean isWhole = each.getOffset() >= 0 && each.getLength() > 0 && each.getOffset() % PageSize.BYTES == 0
        && each.getLength() % PageSize.BYTES == 0 && each.getBytes().size() % PageSize.BYTES == 0
        && each.getBytes().size() <= each.getLength();
    boolean isKnown = each.getBlock() >= 0 && each.getBlock() < blocks.size();
    if (!isWhole || !isKnown || blocks.get(each.getBlock()).name().equals(ramBlock)
        || each.getOffset() > blocks.get(each.getBlock()).length() - each.getLength()) {
      throw new IllegalArgumentException("%d bytes, %d of them not zero, at %d of block %d of %d".formatted(
          each.getLength(), each.getBytes().size(), each.getOffset(), each.getBlock(), blocks.size()));
    }
    return new BlockContent(each.getBlock(), each.getOffset(), each.getLength(), each.getBytes().toByteArray());
  }
}
