package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Progress;
import dev.pageferry.ferry.view.ProgressDisplay;
import dev.pageferry.ferry.view.ValidationPage;
import dev.pageferry.ferry.view.ValidationText;
import dev.pageferry.proto.cluster.v1.ValidateRequest;
import dev.pageferry.proto.cluster.v1.ValidateUpdate;
import dev.pageferry.proto.cluster.v1.ValidationCheck.Result;
import dev.pageferry.proto.cluster.v1.ValidationGrpc;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry validate}. */
@Command(name = "validate", sortOptions = false,
    description = "Tells whether the hosts have what moving VMs needs, and what to do where they have not.",
    footer = {"",
        "Hosts, storage, networks, versions, QEMU, memory, clocks, names and certificates are looked at. Each host writes small",
        "files to its storage, and sends to each other one twice for a quarter of a second; a host that a migration comes to or goes",
        "from is not measured. Guests go on. Exit code 4: a check failed; warnings alone: 0."})
public final class ValidateCommand implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "HOST", arity = "0..*", description = "Hosts to look at (default: all).")
  private List<String> hosts = List.of();

  @Option(names = "--report", paramLabel = "FILE", description = "Also write the report to FILE, as a page of HTML.")
  private @Nullable Path file;

  private @Nullable ValidationReport report;

  public ValidateCommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      requireWritable();
      validate(session);
      ValidationReport made = report;
      if (made == null) {
        throw new Failure(ExitCode.FAILED, "the coordinator ended the validation without a report; try again");
      }
      session.output().document(made, look -> ValidationText.of(made, look));
      write(made, session);
      if (made.getResult() == Result.FAIL) {
        long failed = made.getChecksList().stream().filter(each -> each.getResult() == Result.FAIL).count();
        throw new Failure(ExitCode.REFUSED, "%d check%s failed".formatted(failed, failed == 1 ? "" : "s"));
      }
      return ExitCode.DONE;
    });
  }

  /** A file that cannot be written is to be told before half a minute of work, not after it. */
  private void requireWritable() {
    if (file != null && (Files.isDirectory(file) || !Files.isWritable(Files.exists(file) ? file : directory(file)))) {
      throw new Failure(ExitCode.USAGE, "--report: %s cannot be written".formatted(file));
    }
  }

  private static Path directory(Path file) {
    Path parent = file.toAbsolutePath().getParent();
    return parent == null ? file : parent;
  }

  private void validate(Session session) {
    ValidateRequest request = ValidateRequest.newBuilder().addAllHostIds(hosts).build();
    try (ProgressDisplay display = session.progress(true)) {
      session.connection().stream(stub -> ValidationGrpc.newBlockingStub(stub.getChannel()).validate(request),
          (ValidateUpdate update) -> {
            if (update.hasReport()) {
              report = update.getReport();
            } else {
              display.show(new Progress("validating", update.getDoing(),
                  (double) update.getDoneSteps() / Math.max(1, update.getTotalSteps())));
            }
          });
    }
  }

  private void write(ValidationReport made, Session session) {
    if (file != null) {
      try {
        Files.writeString(file, ValidationPage.of(made), StandardCharsets.UTF_8);
        session.output().message("report written to " + file);
      } catch (IOException e) {
        throw new Failure(ExitCode.FAILED, "the report cannot be written to %s: %s".formatted(file, e.getMessage()), e);
      }
    }
  }
}
