package dev.pageferry.golden;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.TextFormat;
import dev.pageferry.coordinator.store.RecordStore.Versioned;
import dev.pageferry.coordinator.store.SqliteRecordStore;
import dev.pageferry.proto.records.v1.HostRecord;
import dev.pageferry.proto.records.v1.MigrationRecord;
import dev.pageferry.proto.records.v1.TunnelEndRecord;
import dev.pageferry.proto.records.v1.VmRecord;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes what a version reads in records, a line {@code KEY <tab> REVISION <tab> TEXT} each. Run with the class path of that
 * version's coordinator.
 */
public final class RecordDump {
  private RecordDump() {
  }

  /** @param arguments the directory of the records, the file to write */
  public static void main(String[] arguments) throws IOException {
    List<String> lines = new ArrayList<>();
    try (SqliteRecordStore store = SqliteRecordStore.open(Path.of(arguments[0]))) {
      for (Versioned each : store.list("")) {
        lines.add("%s\t%d\t%s".formatted(each.key(), each.revision(), text(each)));
      }
    }
    Files.write(Path.of(arguments[1]), lines);
  }

  private static String text(Versioned record) throws InvalidProtocolBufferException {
    String kind = record.key().substring(0, record.key().indexOf('/'));
    return switch (kind) {
      case "vms" -> text(VmRecord.parseFrom(record.value()));
      case "migrations", "decisions" -> text(MigrationRecord.parseFrom(record.value()));
      case "hosts" -> text(HostRecord.parseFrom(record.value()));
      case "tunnel-ends" -> text(TunnelEndRecord.parseFrom(record.value()));
      default -> new String(record.value(), StandardCharsets.UTF_8);
    };
  }

  private static String text(Message message) {
    return TextFormat.printer().emittingSingleLine(true).printToString(message);
  }
}
