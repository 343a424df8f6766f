package dev.pageferry.ferry.command;

import dev.pageferry.common.units.Durations;
import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Details;
import dev.pageferry.ferry.view.Output;
import dev.pageferry.ferry.view.Palette;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadRequest;
import dev.pageferry.proto.cluster.v1.ConfirmHostDeadResponse;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry host confirm-dead}. */
@Command(name = "confirm-dead", sortOptions = false,
    description = "Takes your word that a silent host is off: its VMs run again elsewhere, and another may take its place.",
    footer = {
        "",
        "Only after you have seen that it is off: if it runs, so do its VMs, and one without disks could run twice.",
        "Without --yes it says what is known of the host and what would be lost, and asks; where nobody can be asked",
        "it changes nothing and exits with 4."})
public final class HostConfirmDead implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "HOST", description = "Id of the host.")
  private String host = "";

  @Option(names = "--yes", description = "Does not ask.")
  private boolean yes;

  @Mixin
  private final RequestOption requestOption = new RequestOption();

  public HostConfirmDead(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      ConfirmHostDeadResponse known = session.connection().read(stub -> stub.confirmHostDead(request().build()));
      if (!yes) {
        ask(session, known);
      }
      Change change = requestOption.change(session);
      ConfirmHostDeadResponse confirmed = session.connection().change(change, stub -> stub.confirmHostDead(
          request().setConfirmed(true).setIncarnation(known.getIncarnation()).build()));
      session.output().document(change.stamped(confirmed), palette -> details(confirmed, palette));
      if (!confirmed.getConfirmed()) {
        throw new Failure(ExitCode.REFUSED, "host %s was not confirmed dead".formatted(host));
      }
      return ExitCode.DONE;
    });
  }

  private void ask(Session session, ConfirmHostDeadResponse known) {
    // Whoever is asked must have seen it, also where the document goes elsewhere.
    session.output().draw(details(known, new Palette(false)));
    Optional<String> answer = session.surroundings().questions()
        .ask("Have you seen that host %s is off? Type its id to confirm: ".formatted(host));
    if (!answer.map(String::strip).equals(Optional.of(known.getHost().getId()))) {
      session.output().document(known, palette -> "");
      throw new Failure(ExitCode.REFUSED, "host %s was not confirmed dead; %s; nothing was changed".formatted(host,
          answer.isPresent() ? "its id was not typed" : "there is no terminal to ask at, and no --yes"));
    }
  }

  private ConfirmHostDeadRequest.Builder request() {
    return ConfirmHostDeadRequest.newBuilder().setId(host);
  }

  private static String details(ConfirmHostDeadResponse response, Palette palette) {
    Details details = new Details().add("host", response.getHost().getId())
        .add("state", palette.paint(response.getHost().getState().toString()))
        .add("address", response.getHost().getAddress())
        .add("last heard", response.hasSilentSeconds()
            ? Durations.format(response.getSilentSeconds()) + " ago"
            : "not since the coordinator started")
        .add("confirmed", response.getConfirmed() ? "yes" : "no");
    StringBuilder text = new StringBuilder(details.text());
    text.append(response.getConsequencesCount() == 0 ? "no VM is its own\n" : "its VMs:\n");
    response.getConsequencesList().forEach(each -> text.append("  ").append(Output.oneLine(each)).append('\n'));
    return text.toString();
  }
}
