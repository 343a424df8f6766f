package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.BackupText;
import dev.pageferry.proto.cluster.v1.BackupSummary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry restore}. */
@Command(name = "restore", sortOptions = false,
    description = "Has a coordinator begin with the records of a backup, at its next start.", footer = {"",
        "Run it where the coordinator is, as a user who may write its directory, then (re)start the coordinator. The records of before",
        "are kept beside the new ones. Guests go on; hosts have seen more than the backup holds, so no row changes until",
        "'ferry records repair' (see '--dry-run'); hosts that came since are admitted first ('ferry host admit')."})
public final class RestoreCommand implements Callable<Integer> {
  /** As the coordinator looks for it. */
  private static final String NAME = "restore.backup";

  private final Session.Opener ferry;

  @Parameters(paramLabel = "FILE", description = "A backup.")
  private Path file = Path.of("");

  @Option(names = "--data", paramLabel = "DIR", required = true, description = "The coordinator's --data.")
  private Path data = Path.of("");

  public RestoreCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.locally(session -> {
      if (!Files.exists(file)) {
        throw new Failure(ExitCode.NOT_FOUND, "%s does not exist".formatted(file));
      }
      if (!Files.isDirectory(data)) {
        throw new Failure(ExitCode.NOT_FOUND,
            "%s is not a directory; make it as the coordinator's user where there is none any more".formatted(data));
      }
      try {
        BackupSummary whole = BackupFiles.check(file);
        BackupSummary unused = BackupFiles.write(data.resolve(NAME), out -> Files.copy(file, out));
        BackupFiles.giveToOwnerOf(data, data.resolve(NAME));
        session.output().document(whole, _ -> BackupText.of(whole));
        session.output().message("the coordinator of %s takes these records at its next start".formatted(data));
        return ExitCode.DONE;
      } catch (IOException e) {
        throw BackupFiles.failure(e);
      }
    });
  }
}
