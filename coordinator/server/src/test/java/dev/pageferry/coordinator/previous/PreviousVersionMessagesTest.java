package dev.pageferry.coordinator.previous;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.protobuf.Message;
import dev.pageferry.proto.agent.v1.VmSpec;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.migration.v1.Hello;
import dev.pageferry.proto.records.v1.VmRecord;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.report.v1.MigrationReport;
import java.io.IOException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every message of every service as the version before encodes it, and its schema against this one. */
class PreviousVersionMessagesTest {
  private static final Map<String, FileDescriptor> TODAY = Stream
      .of(MigrationReport.getDescriptor(), VmSpec.getDescriptor(), Vm.getDescriptor(), Hello.getDescriptor(),
          RegisterRequest.getDescriptor(), VmRecord.getDescriptor())
      .map(Descriptor::getFile).collect(Collectors.toMap(FileDescriptor::getName, Function.identity()));

  /** @param text the message as the version before printed it */
  private record Recorded(String name, byte[] bytes, String text) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Recorded> messages() throws IOException {
    return PreviousVersion.lines("messages.txt").stream()
        .map(parts -> new Recorded(parts[0], HexFormat.of().parseHex(parts[1]), parts[2])).toList();
  }

  @Test
  void allMessagesOfTheVersionBeforeWereRecorded() throws Exception {
    List<String> known = PreviousVersion.files().values().stream().flatMap(file -> file.getMessageTypes().stream())
        .map(Descriptor::getFullName).toList();
    assertThat(messages().stream().map(Recorded::name)).hasSizeGreaterThan(100)
        .containsExactlyInAnyOrderElementsOf(known);
  }

  @ParameterizedTest
  @MethodSource("messages")
  void aMessageOfTheVersionBeforeIsReadAsItMeantItAndWrittenAsItWroteIt(Recorded recorded) throws Exception {
    Message message = parse(recorded);

    assertThat(PreviousVersion.text(message)).isEqualTo(recorded.text());
    assertThat(message.getUnknownFields().asMap()).isEmpty();
    assertThat(message.toByteArray()).isEqualTo(recorded.bytes());
  }

  private static Message parse(Recorded recorded) throws Exception {
    Descriptor type = TODAY.values().stream()
        .flatMap(file -> file.getMessageTypes().stream())
        .filter(each -> each.getFullName().equals(recorded.name())).findFirst().orElseThrow();
    Message none = (Message) Class.forName(type.getFile().getOptions().getJavaPackage() + "." + type.getName())
        .getMethod("getDefaultInstance").invoke(null);
    return Objects.requireNonNull(none).getParserForType().parseFrom(recorded.bytes());
  }

  @Test
  void noFieldOfTheVersionBeforeIsGoneOrMeansAnotherThing() throws Exception {
    for (FileDescriptor before : PreviousVersion.files().values()) {
      FileDescriptor now = Objects.requireNonNull(TODAY.get(before.getName()));
      for (Descriptor each : before.getMessageTypes()) {
        assertSame(each, now.findMessageTypeByName(each.getName()));
      }
    }
  }

  private static void assertSame(Descriptor before, Descriptor now) {
    assertThat(now).as(before.getFullName()).isNotNull();
    for (FieldDescriptor each : before.getFields()) {
      FieldDescriptor field = now.findFieldByNumber(each.getNumber());
      assertThat(field).as(each.getFullName()).isNotNull();
      assertThat(describe(field)).isEqualTo(describe(each));
    }
    for (Descriptor each : before.getNestedTypes()) {
      assertSame(each, now.findNestedTypeByName(each.getName()));
    }
    for (EnumDescriptor each : before.getEnumTypes()) {
      assertSame(each, now.findEnumTypeByName(each.getName()));
    }
  }

  private static String describe(FieldDescriptor field) {
    String type = switch (field.getJavaType()) {
      case MESSAGE -> field.getMessageType().getFullName();
      case ENUM -> field.getEnumType().getFullName();
      default -> field.getType().toString();
    };
    return "%s %s %d repeated=%s packed=%s presence=%s".formatted(type, field.getFullName(), field.getNumber(),
        field.isRepeated(), field.isPacked(), field.hasPresence());
  }

  private static void assertSame(EnumDescriptor before, EnumDescriptor now) {
    assertThat(now).as(before.getFullName()).isNotNull();
    for (EnumValueDescriptor each : before.getValues()) {
      assertThat(now.findValueByNumber(each.getNumber())).as("%s %d", before.getFullName(), each.getNumber())
          .isNotNull();
      assertThat(now.findValueByNumber(each.getNumber()).getName()).isEqualTo(each.getName());
    }
  }

  @Test
  void everyCallOfTheVersionBeforeIsStillServed() throws Exception {
    for (FileDescriptor before : PreviousVersion.files().values()) {
      for (ServiceDescriptor service : before.getServices()) {
        ServiceDescriptor now = Objects.requireNonNull(TODAY.get(before.getName()))
            .findServiceByName(service.getName());
        assertThat(now).as(service.getFullName()).isNotNull();
        for (MethodDescriptor each : service.getMethods()) {
          MethodDescriptor method = now.findMethodByName(each.getName());
          assertThat(method).as(each.getFullName()).isNotNull();
          assertThat(method.toProto()).isEqualTo(each.toProto());
        }
      }
    }
  }
}
