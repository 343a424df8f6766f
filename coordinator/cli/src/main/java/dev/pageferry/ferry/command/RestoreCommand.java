package dev.pageferry.ferry.command;

import dev.pageferry.common.backup.SealedFile;
import dev.pageferry.common.failure.IoFailure;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.BackupText;
import dev.pageferry.proto.cluster.v1.BackupSummary;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry restore}. */
@Command(name = "restore", sortOptions = false,
    description = "Has a coordinator begin with the records of a backup, at its next start.", footer = {"",
        "Run it where the coordinator is, as the user that its directory belongs to, then (re)start it. The records of before",
        "are kept beside the new ones. Guests go on; hosts have seen more than the backup holds, so no row changes until",
        "'ferry records repair' (see '--dry-run'); hosts that came since are admitted first ('ferry host admit')."})
public final class RestoreCommand implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "FILE", description = "A backup; -: from standard input.")
  private Path file = Path.of("");

  @Option(names = "--data", paramLabel = "DIR", required = true, description = "The coordinator's --data.")
  private Path data = Path.of("");

  public RestoreCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.locally(session -> {
      if (!Files.isDirectory(data)) {
        throw new Failure(ExitCode.NOT_FOUND,
            "%s is not a directory; make it as the coordinator's user where there is none any more".formatted(data));
      }
      try {
        requireOwner();
        BackupSummary taken = BackupFiles.write(data.resolve(SealedFile.TO_BE_RESTORED), this::copy);
        session.output().document(taken, _ -> BackupText.of(taken));
        session.output()
            .message("the coordinator of %s takes these records at its next start; remove %s to withdraw them"
                .formatted(data, data.resolve(SealedFile.TO_BE_RESTORED)));
        return ExitCode.DONE;
      } catch (NoSuchFileException e) {
        throw new Failure(ExitCode.NOT_FOUND, IoFailure.sentence(e), e);
      } catch (IOException e) {
        throw BackupFiles.failure(e);
      }
    });
  }

  /** Who may write there may have put a link there, for another user to follow. */
  private void requireOwner() throws IOException {
    String owner = Files.getOwner(data).getName();
    if (!owner.equals(System.getProperty("user.name"))) {
      throw new Failure(ExitCode.REFUSED,
          "%1$s belongs to %2$s; run it as that user: runuser -u %2$s -- ferry restore - --data %1$s <%3$s".formatted(
              data,
              owner,
              isStandardInput() ? "FILE" : file));
    }
  }

  private boolean isStandardInput() {
    return file.toString().equals("-");
  }

  private void copy(OutputStream out) throws IOException {
    if (isStandardInput()) {
      long _ = System.in.transferTo(out);
    } else {
      long _ = Files.copy(file, out);
    }
  }
}
