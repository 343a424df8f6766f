package dev.pageferry.support;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Locale;

/**
 * A client that downloads a file over HTTP in no hurry, and holds a second connection on which nobody says anything meanwhile. Started where
 * the network is that it is to use: {@code Download ADDRESS BYTES_PER_SECOND}. It prints what it expects, and "downloading" once the answer has
 * begun; the last mebibytes it reads only when it is told to, by a line. Then it prints how the download ended, and what was heard of the silent
 * connection.
 */
public final class Download {
  private static final int CHUNK = 64 << 10;
  private static final int LAST_BYTES = 8 << 20;
  private static final int ECHO_PORT = 9;

  private Download() {
  }

  public static void main(String[] arguments) throws Exception {
    String address = arguments[0];
    int rate = Integer.parseInt(arguments[1]);
    try (Socket silent = new Socket(address, ECHO_PORT); Socket http = new Socket(address, 80)) {
      say(silent, "first\n");
      requireEcho(silent, "first\n");
      System.out.println("expected " + checksum(address));
      long length = get(http, "/file");
      System.out.println("downloading " + length);
      MessageDigest sha256 = sha256();
      read(http.getInputStream(), length - LAST_BYTES, rate, sha256);
      System.out.println("nearly there");
      int unused = System.in.read();
      read(http.getInputStream(), LAST_BYTES, rate, sha256);
      System.out.println("downloaded " + HexFormat.of().formatHex(sha256.digest()));
      say(silent, "last\n");
      requireEcho(silent, "last\n");
      System.out.println("the silent one answers");
    }
  }

  private static String checksum(String address) throws IOException {
    try (Socket http = new Socket(address, 80)) {
      long length = get(http, "/file.sha256");
      return new String(http.getInputStream().readNBytes((int) length), StandardCharsets.US_ASCII).strip();
    }
  }

  /** Asks for a file. @return its length; the file follows */
  private static long get(Socket http, String file) throws IOException {
    say(http, "GET %s HTTP/1.0\r\n\r\n".formatted(file));
    return contentLength(http.getInputStream());
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  private static void say(Socket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static void requireEcho(Socket socket, String text) throws IOException {
    String answer = new String(socket.getInputStream().readNBytes(text.length()), StandardCharsets.US_ASCII);
    if (!answer.equals(text)) {
      throw new IOException("'%s' came back for '%s'".formatted(answer, text));
    }
  }

  private static long contentLength(InputStream in) throws IOException {
    StringBuilder header = new StringBuilder();
    while (header.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) {
        throw new IOException("the answer ended in its header: " + header);
      }
      header.append((char) next);
    }
    for (String line : header.toString().split("\r\n")) {
      if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) {
        return Long.parseLong(line.substring(line.indexOf(':') + 1).strip());
      }
    }
    throw new IOException("no length in the header: " + header);
  }

  private static void read(InputStream in, long bytes, int bytesPerSecond, MessageDigest into)
      throws IOException, InterruptedException {
    long start = System.nanoTime();
    for (long left = bytes; left > 0;) {
      byte[] chunk = in.readNBytes((int) Math.min(CHUNK, left));
      if (chunk.length == 0) {
        throw new IOException("the download ended with %d bytes missing".formatted(left));
      }
      into.update(chunk);
      left -= chunk.length;
      long ahead = (bytes - left) * 1_000_000_000L / bytesPerSecond - (System.nanoTime() - start);
      if (ahead > 0) {
        Thread.sleep(Duration.ofNanos(ahead));
      }
    }
  }
}
