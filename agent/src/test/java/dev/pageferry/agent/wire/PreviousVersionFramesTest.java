package dev.pageferry.agent.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.google.protobuf.MessageLite;
import com.google.protobuf.TextFormat;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Control frames as the version before wrote them, with every field set ({@code scripts/record-previous}). */
class PreviousVersionFramesTest {
  private static final String RESOURCE = "/version-4200a9b/frames.txt";

  /** @param text the message as the version before printed it */
  private record Recorded(String type, long sequence, byte[] bytes, String text) {
    @Override
    public String toString() {
      return type;
    }
  }

  static List<Recorded> frames() throws IOException {
    try (InputStream in = Objects.requireNonNull(PreviousVersionFramesTest.class.getResourceAsStream(RESOURCE))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().map(line -> line.split("\t", -1))
          .map(parts -> new Recorded(parts[0], Long.parseLong(parts[1]), HexFormat.of().parseHex(parts[2]), parts[3]))
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("frames")
  void aFrameOfTheVersionBeforeIsReadAsThatVersionMeantIt(Recorded frame) throws Exception {
    MessageLite message = decode(frame);

    assertThat(TextFormat.printer().emittingSingleLine(true).printToString((Message) message)).isEqualTo(frame.text());
    assertThat(((Message) message).getUnknownFields().asMap()).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("frames")
  void aFrameIsWrittenAsTheVersionBeforeWroteIt(Recorded frame) throws Exception {
    assertThat(Frames.bytes(ControlFrames.encode(decode(frame), frame.sequence()))).isEqualTo(frame.bytes());
  }

  @Test
  void everyTypeOfFrameThatTheVersionBeforeKnewIsStillKnownUnderItsCode() throws IOException {
    List<String> known = Stream.of(FrameType.values()).filter(each -> !each.isPageFrame()).map(Enum::name).toList();

    assertThat(frames()).hasSize(20);
    assertThat(known).containsAll(frames().stream().map(Recorded::type).toList());
  }

  private static MessageLite decode(Recorded frame) throws WireException {
    ByteBuffer bytes = Frames.buffer(frame.bytes());
    FrameHeader header = FrameHeader.read(bytes, 0, frame.sequence());
    FrameType type = FrameType.valueOf(frame.type());
    assertThat(header.type()).isEqualTo(type.code());
    assertThat(header.isOptional()).isFalse();
    return ControlFrames.decode(type, header, bytes);
  }
}
