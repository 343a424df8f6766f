package dev.pageferry.coordinator.previous;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** What the version before left behind ({@code scripts/record-previous}), and its messages as it knows them. */
final class PreviousVersion {
  private static final Path RESOURCES = Path.of("src/test/resources/version-4200a9b");

  private PreviousVersion() {
  }

  /** Copies its records to a directory, where they may be changed. */
  static Path records(Path directory) throws IOException {
    Files.copy(RESOURCES.resolve("coordinator.db"), directory.resolve("coordinator.db"));
    return directory;
  }

  /** The lines of a file, taken apart at tabs. */
  static List<String[]> lines(String file) throws IOException {
    return Files.readAllLines(RESOURCES.resolve(file)).stream().map(line -> line.split("\t", -1)).toList();
  }

  static String text(Message message) {
    return TextFormat.printer().emittingSingleLine(true).printToString(message);
  }

  /** Its .proto files by name, in an order in which each comes after those that it imports. */
  static Map<String, FileDescriptor> files() throws IOException, DescriptorValidationException {
    FileDescriptorSet set = FileDescriptorSet.parseFrom(Files.readAllBytes(RESOURCES.resolve("schema.binpb")));
    Map<String, FileDescriptor> files = new LinkedHashMap<>();
    for (FileDescriptorProto each : set.getFileList()) {
      FileDescriptor[] imports = each.getDependencyList().stream().map(name -> Objects.requireNonNull(files.get(name)))
          .toArray(FileDescriptor[]::new);
      files.put(each.getName(), FileDescriptor.buildFrom(each, imports));
    }
    return files;
  }

  /** A message of its records, with the fields that it knew. */
  static Descriptor record(String name) throws IOException, DescriptorValidationException {
    FileDescriptor records = Objects.requireNonNull(files().get("pageferry/records/v1/records.proto"));
    return Objects.requireNonNull(records.findMessageTypeByName(name));
  }
}
