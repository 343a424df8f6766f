package dev.pageferry.common.failure;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IoFailureTest {
  @TempDir
  Path directory;

  private static Exception failure(org.assertj.core.api.ThrowableAssert.ThrowingCallable body) {
    return (Exception) org.assertj.core.api.Assertions.catchThrowable(body);
  }

  @Test
  void aPathAloneBecomesASentence() throws IOException {
    Path missing = directory.resolve("missing");
    assertThat(IoFailure.sentence(failure(() -> Files.readString(missing)))).isEqualTo(missing + " does not exist");
    Path file = Files.createFile(directory.resolve("file"));
    assertThat(IoFailure.sentence(failure(() -> Files.createDirectory(file)))).isEqualTo(file + " exists already");
    assertThat(IoFailure.sentence(failure(() -> Files.newDirectoryStream(file))))
        .isEqualTo(file + " is not a directory");
    assertThat(IoFailure.sentence(failure(() -> Files.delete(directory))))
        .isEqualTo(directory + " is a directory that is not empty");
    assertThat(IoFailure.sentence(new AccessDeniedException("/data")))
        .isEqualTo("/data may not be accessed by this user");
    assertThat(IoFailure.sentence(new FileSystemException("/data", null, "No space left on device")))
        .isEqualTo("/data: No space left on device");
    assertThat(IoFailure.sentence(new FileSystemException("/data"))).isEqualTo("/data cannot be used");
  }

  @Test
  void silenceBecomesASentence() {
    assertThat(IoFailure.sentence(new IOException())).isEqualTo("input or output failed (IOException)");
    assertThat(IoFailure.sentence(new ClosedChannelException())).isEqualTo("it was closed meanwhile");
    assertThat(IoFailure.sentence(new EOFException())).isEqualTo("it ends too early");
    assertThat(IoFailure.sentence(new UnknownHostException("nowhere")))
        .isEqualTo("no address is known for the name nowhere");
    assertThat(IoFailure.sentence(new IOException("disk data is gone"))).isEqualTo("disk data is gone");
  }

  @Test
  void anAddressThatIsTakenIsNamedWithItsOption() throws IOException {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), taken.getLocalPort());
      Exception cause = failure(() -> new ServerSocket().bind(address));
      for (Exception each : List.of(cause, new IOException("Failed to bind to address", cause))) {
        assertThat(IoFailure.listening("operators", "127.0.0.1:7400", "--listen", each)).hasMessage(
            "cannot listen for operators on 127.0.0.1:7400: the address is in use already; end what listens there, or choose another address with --listen");
      }
    }
    assertThat(IoFailure.listening("operators", "1.2.3.4:1", "--listen",
        new BindException("Cannot assign requested address"))).hasMessageContaining("not an address of this machine");
    assertThat(IoFailure.listening("operators", "1.2.3.4:1", "--listen",
        new IOException("bind(..) failed with error(-98): Address already in use"))).hasMessageContaining(
            "the address is in use already");
    assertThat(IoFailure.listening("operators", "nowhere:1", "--listen",
        new java.nio.channels.UnresolvedAddressException())).hasMessageContaining("no address is known for that name");
  }
}
