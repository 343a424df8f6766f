package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.MigrationReportText;
import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.GetMigrationRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsRequest;
import dev.pageferry.proto.cluster.v1.ListMigrationsResponse;
import dev.pageferry.proto.cluster.v1.Migration;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code ferry migration}. */
@Command(name = "migration", description = "Migrations under way and done.")
public final class MigrationCommands extends CommandGroup {
  private static final String ID = "Id of the migration, or an unambiguous beginning of it.";

  private final Session.Opener ferry;

  public MigrationCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "list", description = "All migrations.")
  int list() {
    return ferry.inSession(session -> {
      ListMigrationsResponse migrations = session.connection()
          .read(stub -> stub.listMigrations(ListMigrationsRequest.getDefaultInstance()));
      session.output().document(migrations,
          palette -> MigrationReportText.table(migrations.getMigrationsList()).text(palette));
      return ExitCode.DONE;
    });
  }

  @Command(name = "show", description = "Report of one migration.")
  int show(@Parameters(paramLabel = "ID", description = ID) String id) {
    return ferry.inSession(session -> {
      Migration migration = migration(session, id);
      session.output().document(migration, palette -> MigrationReportText.of(migration, palette));
      return ExitCode.DONE;
    });
  }

  @Command(name = "watch", description = "Follows a migration to its end. Ctrl-C ends the watching only.")
  int watch(@Parameters(paramLabel = "ID", description = ID) String id) {
    return ferry.inSession(session -> {
      String fullId = migration(session, id).getId();
      try (MigrationWatch watch = new MigrationWatch(session, true, MigrationWatch.Companion.NONE, Optional.empty())) {
        return watch.run(fullId);
      }
    });
  }

  @Command(name = "cancel", description = "Asks for the end of a migration; the VM stays where it is.")
  int cancel(@Parameters(paramLabel = "ID", description = ID) String id, @Mixin RequestOption requestOption) {
    return ferry.inSession(session -> {
      CancelMigrationRequest request = CancelMigrationRequest.newBuilder().setId(migration(session, id).getId())
          .build();
      Change change = requestOption.change(session);
      Migration migration = session.connection().change(change, stub -> stub.cancelMigration(request));
      session.output().document(change.stamped(migration),
          palette -> MigrationReportText.table(List.of(migration)).text(palette));
      return ExitCode.DONE;
    });
  }

  private static Migration migration(Session session, String id) {
    GetMigrationRequest request = GetMigrationRequest.newBuilder().setId(id).build();
    return session.connection().read(stub -> stub.getMigration(request));
  }
}
