package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.BackupText;
import dev.pageferry.proto.cluster.v1.BackUpPart;
import dev.pageferry.proto.cluster.v1.BackUpRequest;
import dev.pageferry.proto.cluster.v1.BackupGrpc;
import dev.pageferry.proto.cluster.v1.BackupSummary;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry backup}. */
@Command(name = "backup", sortOptions = false,
    description = "Writes the coordinator's records to a file, while it runs.",
    footer = {"",
        "The records say which VMs there are, who may run each, and who belongs to the cluster; not what is in memory or on",
        "disks. Keep the file as secret as the coordinator's directory. 'ferry restore' brings it back."})
public final class BackupCommand implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "FILE", description = "Where to.")
  private Path file = Path.of("");

  @Option(names = "--force", description = "Also where FILE exists.")
  private boolean force;

  public BackupCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      if (Files.exists(file) && !force) {
        throw new Failure(ExitCode.REFUSED, "%s exists already; name another file, or add --force".formatted(file));
      }
      try {
        BackupSummary written = BackupFiles.write(file, out -> receive(session, out));
        session.output().document(written, _ -> BackupText.of(written));
        return ExitCode.DONE;
      } catch (IOException | UncheckedIOException e) {
        throw BackupFiles.failure(e);
      }
    });
  }

  private static void receive(Session session, OutputStream out) {
    session.connection().stream(
        stub -> BackupGrpc.newBlockingStub(stub.getChannel()).backUp(BackUpRequest.getDefaultInstance()),
        (BackUpPart part) -> {
          try {
            part.getData().writeTo(out);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }
}
