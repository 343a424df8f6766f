package dev.pageferry.golden;

import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import dev.pageferry.agent.wire.ControlFrames;
import dev.pageferry.agent.wire.FrameType;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.report.v1.MigrationReport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Writes every message of a version, all its fields set, as that version's own classes encode it. It is compiled with this
 * build and run with the class path of the other version's agent, so that it touches only what both have.
 *
 * <p>A line is {@code NAME <tab> HEX <tab> TEXT}; of frames {@code TYPE <tab> SEQUENCE <tab> HEX <tab> TEXT}.
 */
public final class MessageRecorder {
  private static final List<FileDescriptor> FILES = List.of(MigrationReport.getDescriptor().getFile(),
      VmSpec.getDescriptor().getFile(), Vm.getDescriptor().getFile(), Hello.getDescriptor().getFile(),
      RegisterRequest.getDescriptor().getFile(), VmRecord.getDescriptor().getFile());

  /** Every value differs from every other, so that fields that changed places show. */
  private int values;

  private MessageRecorder() {
  }

  /** @param arguments directories for what is recorded: the agent's, the coordinator's */
  public static void main(String[] arguments) throws IOException, ReflectiveOperationException {
    new MessageRecorder().record(Path.of(arguments[0]), Path.of(arguments[1]));
  }

  private void record(Path agent, Path coordinator) throws IOException, ReflectiveOperationException {
    List<String> messages = new ArrayList<>();
    List<String> frames = new ArrayList<>();
    FileDescriptorSet.Builder schema = FileDescriptorSet.newBuilder();
    for (FileDescriptor file : FILES) {
      schema.addFile(file.toProto());
      for (Descriptor type : file.getMessageTypes()) {
        values = 0;
        Message message = filled(type, builder(type));
        messages.add("%s\t%s\t%s".formatted(type.getFullName(), HexFormat.of().formatHex(message.toByteArray()),
            text(message)));
        frame(message).ifPresent(frames::add);
      }
    }
    Files.write(coordinator.resolve("messages.txt"), messages);
    Files.write(coordinator.resolve("schema.binpb"), schema.build().toByteArray());
    Files.write(agent.resolve("frames.txt"), frames);
  }

  private static Optional<String> frame(Message message) {
    ByteBuffer frame;
    long sequence = 1L << 33 | message.getSerializedSize();
    try {
      frame = ControlFrames.encode(message, sequence);
    } catch (IllegalArgumentException notTheBodyOfAFrame) {
      return Optional.empty();
    }
    byte[] bytes = new byte[frame.remaining()];
    frame.get(frame.position(), bytes);
    FrameType type = FrameType.ofCode(frame.getShort(4));
    return Optional.of("%s\t%d\t%s\t%s".formatted(type, sequence, HexFormat.of().formatHex(bytes),
        text(message)));
  }

  private static String text(Message message) {
    return TextFormat.printer().emittingSingleLine(true).printToString(message);
  }

  private static Message.Builder builder(Descriptor type) throws ReflectiveOperationException {
    String name = type.getFile().getOptions().getJavaPackage() + "." + type.getName();
    return ((Message) Class.forName(name).getMethod("getDefaultInstance").invoke(null)).newBuilderForType();
  }

  private Message filled(Descriptor type, Message.Builder builder) {
    for (FieldDescriptor field : type.getFields()) {
      if (field.isMapField()) {
        builder.addRepeatedField(field, filled(field.getMessageType(), builder.newBuilderForField(field)));
      } else if (field.isRepeated()) {
        builder.addRepeatedField(field, value(field, builder)).addRepeatedField(field, value(field, builder));
      } else {
        builder.setField(field, value(field, builder));
      }
    }
    return builder.build();
  }

  private Object value(FieldDescriptor field, Message.Builder builder) {
    int value = ++values;
    return switch (field.getJavaType()) {
      case INT -> 300 + value;
      case LONG -> (1L << 40) * value + value;
      case FLOAT -> value + 0.25f;
      case DOUBLE -> value + 0.125;
      case BOOLEAN -> true;
      case STRING -> "%s-%d".formatted(field.getName(), value);
      case BYTE_STRING -> ByteString.copyFrom(new byte[]{(byte) value, 0, -1});
      // The last one, so that every value but that of zero is on the wire.
      case ENUM -> field.getEnumType().getValues().getLast();
      case MESSAGE -> filled(field.getMessageType(), builder.newBuilderForField(field));
    };
  }
}
