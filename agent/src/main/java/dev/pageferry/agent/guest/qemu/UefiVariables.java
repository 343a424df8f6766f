package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.disk.StorageFiles;
import dev.pageferry.common.identity.VmId;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a VM's UEFI has in its variables, on its host's storage while the VM is stopped: a file for each epoch in which it was booted,
 * of which the last counts. So a host that has lost the VM and writes late changes nothing that another one reads.
 */
final class UefiVariables {
  private static final String SUFFIX = ".uefi";
  private static final String UNFINISHED = ".new";

  private final VmId vm;
  private final Path directory;
  private final long bytes;

  /**
   * @param directory on storage that all hosts have which may boot the VM
   * @param bytes as many as the flash memory has
   */
  UefiVariables(VmId vm, Path directory, long bytes) {
    this.vm = vm;
    this.directory = directory;
    this.bytes = bytes;
  }

  /**
   * What the VM had when it was stopped last, and has from now on in an epoch of its own.
   *
   * @param epoch under which it is booted
   * @return empty if it never was, or had flash memory of another size
   */
  Optional<byte[]> bring(long epoch) throws IOException {
    TreeMap<Long, Path> kept = kept(SUFFIX);
    Map.Entry<Long, Path> last = kept.floorEntry(epoch);
    if (last == null || Files.size(last.getValue()) != bytes) {
      return Optional.empty();
    }
    byte[] content = Files.readAllBytes(last.getValue());
    if (last.getKey() != epoch) {
      keep(content, epoch);
    }
    remove(kept.headMap(epoch).values());
    // Of hosts that died when they kept theirs.
    remove(kept(SUFFIX + UNFINISHED).headMap(epoch).values());
    return Optional.of(content);
  }

  private static void remove(Collection<Path> files) throws IOException {
    for (Path each : files) {
      Files.deleteIfExists(each);
    }
  }

  /**
   * Keeps what it has; whoever reads it meanwhile finds this or what was there before.
   *
   * @param epoch under which the host has it that calls this
   */
  void keep(byte[] content, long epoch) throws IOException {
    Path file = file(epoch);
    // Of this very caller: two hosts have two epochs, and one host keeps one thing after the other.
    Path next = file.resolveSibling(file.getFileName() + UNFINISHED);
    try (FileChannel channel = FileChannel.open(next, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
        StandardOpenOption.TRUNCATE_EXISTING)) {
      ByteBuffer left = ByteBuffer.wrap(content);
      while (left.hasRemaining()) {
        int _ = channel.write(left);
      }
      channel.force(true);
    }
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    StorageFiles.syncDirectory(directory);
  }

  private Path file(long epoch) {
    return directory.resolve(vm.value() + "." + epoch + SUFFIX);
  }

  /** By epoch. */
  private TreeMap<Long, Path> kept(String suffix) throws IOException {
    Pattern name = Pattern.compile(Pattern.quote(vm.value() + ".") + "(\\d{1,18})" + Pattern.quote(suffix));
    TreeMap<Long, Path> kept = new TreeMap<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, vm.value() + ".*" + suffix)) {
      for (Path each : files) {
        Matcher matcher = name.matcher(each.getFileName().toString());
        if (matcher.matches()) {
          kept.put(Long.parseLong(matcher.group(1)), each);
        }
      }
    }
    return kept;
  }
}
