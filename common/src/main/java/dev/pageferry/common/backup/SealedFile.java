package dev.pageferry.common.backup;

import java.io.EOFException;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * A file that shows whether it is whole: eight bytes {@code PFBACKUP}, the contents, and the SHA-256 of all of that in its last 32
 * bytes. One that was cut, or has a bit wrong, is refused before anything of it is used.
 */
public final class SealedFile {
  /** In a coordinator's directory of records: a backup that {@code ferry restore} has put there, for its next start. */
  public static final String TO_BE_RESTORED = "restore.backup";
  private static final byte[] MAGIC = "PFBACKUP".getBytes(StandardCharsets.US_ASCII);
  private static final int SEAL_BYTES = 32;
  private static final int CHUNK_BYTES = 1 << 16;

  private SealedFile() {
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  /** Takes contents, and seals them when it is told to. */
  public static final class Writer extends FilterOutputStream {
    private final DigestOutputStream digested;

    private Writer(DigestOutputStream digested) {
      super(digested);
      this.digested = digested;
    }

    public static Writer to(OutputStream out) throws IOException {
      Writer writer = new Writer(new DigestOutputStream(out, sha256()));
      writer.write(MAGIC);
      return writer;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      digested.write(bytes, offset, length);
    }

    /** All contents were written. */
    public void seal() throws IOException {
      byte[] seal = digested.getMessageDigest().digest();
      digested.on(false);
      digested.write(seal);
      digested.flush();
    }
  }

  /** What a reader makes of contents that are whole. */
  @FunctionalInterface
  public interface Reader<T> {
    T read(InputStream contents) throws IOException;
  }

  /**
   * Checks the seal of a file, then hands its contents over.
   *
   * @throws IOException if it is not such a file, is not whole, or the reader fails
   */
  public static <T> T read(Path file, Reader<T> reader) throws IOException {
    long bytes = Files.size(file);
    if (bytes < MAGIC.length + SEAL_BYTES) {
      throw new IOException("%s has %d bytes, and is not a backup".formatted(file, bytes));
    }
    try (InputStream in = Files.newInputStream(file)) {
      if (!MessageDigest.isEqual(in.readNBytes(MAGIC.length), MAGIC)) {
        throw new IOException("%s does not begin with PFBACKUP, and is not a backup".formatted(file));
      }
      MessageDigest digest = sha256();
      digest.update(MAGIC);
      long left = bytes - MAGIC.length - SEAL_BYTES;
      byte[] chunk = new byte[CHUNK_BYTES];
      while (left > 0) {
        int read = in.read(chunk, 0, (int) Math.min(chunk.length, left));
        if (read < 0) {
          throw new EOFException("%s became shorter while it was read".formatted(file));
        }
        digest.update(chunk, 0, read);
        left -= read;
      }
      if (!MessageDigest.isEqual(in.readNBytes(SEAL_BYTES), digest.digest())) {
        throw new IOException("%s is damaged: its SHA-256 does not match".formatted(file));
      }
    }
    try (InputStream in = Files.newInputStream(file)) {
      in.skipNBytes(MAGIC.length);
      return reader.read(in);
    }
  }
}
