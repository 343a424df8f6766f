package dev.pageferry.agent.nbd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.agent.disk.BlockDevice;
import dev.pageferry.common.concurrent.Scheduler;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The protocol byte by byte, as a client sees it. What clients send was taken from QEMU 10.0.2. */
@Timeout(60)
class NbdServerTest {
  private static final int SIZE = 1 << 20;
  private static final int MOST = 64 << 10;
  private static final String GREETING = "4e42444d41474943 49484156454f5054 0003";
  private static final String FLAGS = "00000003";
  /** Asks to begin with the export of no name, and for its block sizes. */
  private static final String GO = "49484156454f5054 00000007 00000008 00000000 0001 0003";
  private static final String STARTED = """
      0003e889045565a9 00000007 00000003 0000000c 0000 0000000000100000 0005
      0003e889045565a9 00000007 00000003 0000000e 0003 00000001 00001000 00010000
      0003e889045565a9 00000007 00000001 00000000""";

  @TempDir
  Path directory;
  private final Memory disk = new Memory();
  private NbdServer server;
  private SocketChannel client;

  /** A disk whose requests can be held. */
  private static class Memory implements BlockDevice {
    private final byte[] bytes = new byte[SIZE];
    private volatile int flushes;
    private volatile boolean broken;
    private volatile CountDownLatch readable = new CountDownLatch(0);

    @Override
    public long sizeBytes() {
      return SIZE;
    }

    @Override
    public void read(long offset, ByteBuffer target) throws IOException {
      if (offset == 0) {
        await(readable);
      }
      fail();
      target.put(bytes, (int) offset, target.remaining()).flip();
    }

    private static void await(CountDownLatch latch) {
      try {
        latch.await();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    private void fail() throws IOException {
      if (broken) {
        throw new IOException("broken");
      }
    }

    @Override
    public void write(long offset, ByteBuffer source) throws IOException {
      fail();
      source.get(bytes, (int) offset, source.remaining());
    }

    @Override
    public void flush() throws IOException {
      fail();
      flushes++;
    }
  }

  @BeforeEach
  void serve() throws IOException {
    server = serving(false);
    client = connected();
  }

  private NbdServer serving(boolean readOnly) throws IOException {
    return NbdServer.listen(directory.resolve("disk"), new NbdServer.Export("test", disk, readOnly, MOST),
        Scheduler.SYSTEM);
  }

  private SocketChannel connected() throws IOException {
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of(directory.resolve("disk")));
    return channel;
  }

  @AfterEach
  void end() throws Exception {
    disk.readable.countDown();
    client.close();
    server.close();
  }

  private static byte[] bytes(String hex) {
    return HexFormat.of().parseHex(hex.replaceAll("\\s", ""));
  }

  private void say(String hex) throws IOException {
    client.write(ByteBuffer.wrap(bytes(hex)));
  }

  private void hear(String hex) throws IOException {
    byte[] expected = bytes(hex);
    assertThat(HexFormat.of().formatHex(receive(expected.length))).isEqualTo(HexFormat.of().formatHex(expected));
  }

  private byte[] receive(int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(count);
    while (buffer.hasRemaining() && client.read(buffer) >= 0) {
      continue;
    }
    byte[] received = new byte[buffer.position()];
    buffer.flip().get(received);
    return received;
  }

  private void awaitHangUp() {
    try {
      byte[] _ = receive(MOST);
    } catch (IOException e) {
      // Whoever hangs up on what it has not read resets the connection.
    }
  }

  private void begin() throws IOException {
    hear(GREETING);
    say(FLAGS + GO);
    hear(STARTED);
  }

  private void isHungUp() throws IOException {
    assertThat(client.read(ByteBuffer.allocate(1))).isEqualTo(-1);
  }

  @Test
  void optionsThatAreNotKnownAreRefusedOneByOneAndTheClientGoesOnWithout() throws Exception {
    hear(GREETING);
    say(FLAGS);
    // Structured replies (8), then the metadata context base:allocation (10).
    say("49484156454f5054 00000008 00000000");
    hear("0003e889045565a9 00000008 80000001 00000000");
    say("49484156454f5054 0000000a 0000001b 00000000 00000001 0000000f 626173653a616c6c6f636174696f6e");
    hear("0003e889045565a9 0000000a 80000001 00000000");
    say(GO);
    hear(STARTED);
  }

  @Test
  void whatIsWrittenIsReadAndFlushed() throws Exception {
    begin();
    say("25609513 0000 0001 1111111111111111 0000000000001000 00000004 cafebabe");
    hear("67446698 00000000 1111111111111111");
    say("25609513 0000 0003 2222222222222222 0000000000000000 00000000");
    hear("67446698 00000000 2222222222222222");
    say("25609513 0000 0000 3333333333333333 0000000000000fff 00000006");
    hear("67446698 00000000 3333333333333333 00cafebabe00");
    assertThat(disk.flushes).isEqualTo(1);
    say("25609513 0000 0002 4444444444444444 0000000000000000 00000000");
    isHungUp();
  }

  @Test
  void aRequestThatWaitsDoesNotHoldUpTheNextOnes() throws Exception {
    begin();
    disk.readable = new CountDownLatch(1);
    say("25609513 0000 0000 0000000000000001 0000000000000000 00000002");
    say("25609513 0000 0000 0000000000000002 0000000000000200 00000002");
    hear("67446698 00000000 0000000000000002 0000");
    disk.readable.countDown();
    hear("67446698 00000000 0000000000000001 0000");
  }

  @Test
  void whatCannotBeDoneIsAnErrorAndTheNextRequestIsServed() throws Exception {
    begin();
    // Beyond the end: a read is invalid, a write has no space; an offset of 2^64 - 1; an unknown command; an unknown flag.
    say("25609513 0000 0000 0000000000000001 00000000000fffff 00000002");
    hear("67446698 00000016 0000000000000001");
    say("25609513 0000 0001 0000000000000002 00000000000fffff 00000002 ffff");
    hear("67446698 0000001c 0000000000000002");
    say("25609513 0000 0000 0000000000000003 ffffffffffffffff 00000002");
    hear("67446698 00000016 0000000000000003");
    say("25609513 0000 0063 0000000000000004 0000000000000000 00000002");
    hear("67446698 00000016 0000000000000004");
    say("25609513 0001 0000 0000000000000005 0000000000000000 00000002");
    hear("67446698 00000016 0000000000000005");
    disk.broken = true;
    say("25609513 0000 0000 0000000000000006 0000000000000000 00000002");
    hear("67446698 00000005 0000000000000006");
    disk.broken = false;
    say("25609513 0000 0000 0000000000000007 0000000000000000 00000002");
    hear("67446698 00000000 0000000000000007 0000");
  }

  @Test
  void aDiskThatIsOnlyReadRefusesWrites() throws Exception {
    end();
    server = serving(true);
    client = connected();
    hear(GREETING);
    say(FLAGS + GO);
    hear(STARTED.replace("00100000 0005", "00100000 0007"));
    say("25609513 0000 0001 0000000000000001 0000000000000000 00000002 ffff");
    hear("67446698 00000001 0000000000000001");
    assertThat(disk.bytes).containsOnly(0);
  }

  @Test
  void aClientOfTheOldStyleIsServedToo() throws Exception {
    hear(GREETING);
    say("00000001 49484156454f5054 00000001 00000000");
    hear("0000000000100000 0005" + "00".repeat(124));
    say("25609513 0000 0000 0000000000000001 0000000000000000 00000002");
    hear("67446698 00000000 0000000000000001 0000");
  }

  @Test
  void anotherNameAndAnOptionThatIsCutShortAreRefused() throws Exception {
    hear(GREETING);
    say(FLAGS + "49484156454f5054 00000007 00000007 00000001 78 0000");
    hear("0003e889045565a9 00000007 80000006 00000000");
    say("49484156454f5054 00000006 00000006 000000ff 0000");
    hear("0003e889045565a9 00000006 80000003 00000000");
    say("49484156454f5054 00000002 00000000");
    hear("0003e889045565a9 00000002 00000001 00000000");
    isHungUp();
  }

  @Test
  void whoeverSendsMoreThanWasOfferedOrNoRequestAtAllIsHungUpOn() throws Exception {
    begin();
    say("25609513 0000 0001 0000000000000001 0000000000000000 00010001");
    isHungUp();
    client = connected();
    begin();
    say("00000000 0000 0001 0000000000000001 0000000000000000 00000001");
    isHungUp();
    client = connected();
    hear(GREETING);
    say(FLAGS + "49484156454f5054 00000007 00100000");
    isHungUp();
  }

  @Test
  void bytesOfAnyKindDoNotKeepTheNextClientFromBeingServed() throws Exception {
    Random random = new Random(42);
    for (int i = 0; i < 300; i++) {
      client.close();
      client = connected();
      byte[] noise = new byte[random.nextInt(200)];
      random.nextBytes(noise);
      byte[] valid = bytes(FLAGS + GO + "25609513 0000 0001 0000000000000001 0000000000000000 00000002 ffff");
      for (int at = random.nextInt(valid.length); at < valid.length && i % 2 == 0; at += 1 + random.nextInt(40)) {
        valid[at] ^= (byte) (1 + random.nextInt(255));
      }
      client.write(ByteBuffer.wrap(i % 2 == 0 ? valid : noise));
      client.shutdownOutput();
      awaitHangUp();
    }
    client.close();
    client = connected();
    begin();
  }

  @Test
  void anEndedServerHangsUpAndLeavesNoSocket() throws Exception {
    begin();
    server.close();
    isHungUp();
    assertThat(Files.list(directory)).isEmpty();
  }
}
