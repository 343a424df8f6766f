package dev.pageferry.agent.guest.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Frames as QEMU's stream netdev has them. */
@Timeout(30)
class CardSocketTest {
  @TempDir
  Path directory;
  private ServerSocketChannel listener;
  private SocketChannel qemu;
  private CardSocket socket;
  private final List<String> frames = new ArrayList<>();
  private int room = Integer.MAX_VALUE;

  @BeforeEach
  void connect() throws IOException {
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(directory.resolve("card")));
    socket = CardSocket.connect(directory.resolve("card"));
    qemu = listener.accept();
  }

  @AfterEach
  void close() throws IOException {
    socket.close();
    qemu.close();
    listener.close();
  }

  private void says(String hex) throws IOException {
    qemu.write(ByteBuffer.wrap(HexFormat.of().parseHex(hex.replace(" ", ""))));
  }

  private boolean read() throws IOException {
    return socket.read(new CardSocket.Sink() {
      @Override
      public boolean hasRoom() {
        return frames.size() < room;
      }

      @Override
      public void take(byte[] frame) {
        frames.add(HexFormat.of().formatHex(frame));
      }
    });
  }

  @Test
  void framesAreCutWhereverTheirBytesCome() throws IOException {
    assertThat(read()).isFalse();
    says("00000003 010203 00000002 0405 0000");
    assertThat(read()).isTrue();
    says("0001");
    assertThat(read()).isFalse();
    says("06");
    assertThat(read()).isTrue();
    assertThat(frames).containsExactly("010203", "0405", "06");
  }

  @Test
  void framesForWhichThereIsNoRoomWaitAndComeInOrder() throws IOException {
    room = 1;
    says("00000001 01 00000001 02 00000002 03");
    assertThat(read()).isTrue();
    assertThat(socket.isHeldUp()).isTrue();
    assertThat(read()).isFalse();
    assertThat(frames).containsExactly("01");
    room = 3;
    assertThat(read()).isTrue();
    assertThat(socket.isHeldUp()).as("half a frame waits for its end").isFalse();
    says("04");
    assertThat(read()).isTrue();
    assertThat(frames).containsExactly("01", "02", "0304");
  }

  @Test
  void aFrameIsWrittenBehindItsLength() throws IOException {
    assertThat(socket.isReady()).isTrue();
    socket.write(new byte[]{1, 2, 3});
    ByteBuffer heard = ByteBuffer.allocate(7);
    while (heard.hasRemaining()) {
      qemu.read(heard);
    }
    assertThat(heard.array()).containsExactly(0, 0, 0, 3, 1, 2, 3);
  }

  @Test
  void aFrameThatQemuDoesNotTakeWaitsWholeAndIsEndedLater() throws IOException {
    byte[] frame = new byte[60_000];
    int begun = 0;
    while (socket.isReady()) {
      socket.write(frame);
      begun++;
    }
    qemu.configureBlocking(false);
    long taken = 0;
    ByteBuffer heard = ByteBuffer.allocate(100_000);
    while (taken < begun * 60_004L) {
      taken += Math.max(0, qemu.read(heard.clear()));
      boolean _ = socket.isReady();
    }
    assertThat(taken).isEqualTo(begun * 60_004L);
    assertThat(socket.isReady()).isTrue();
  }

  @Test
  void whatIsNotAFrameIsRefused() throws IOException {
    says("00000000");
    assertThatThrownBy(this::read).hasMessage("a frame of 0 bytes");
  }

  @Test
  void aFrameThatNoCardSendsIsRefusedBeforeItsBytesCome() throws IOException {
    says("ffffffff");
    assertThatThrownBy(this::read).hasMessage("a frame of 4294967295 bytes");
  }

  @Test
  void theEndOfQemuIsTold() throws IOException {
    qemu.close();
    assertThatThrownBy(this::read).hasMessage("QEMU has closed it");
  }
}
