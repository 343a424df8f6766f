package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Details;
import dev.pageferry.proto.cluster.v1.WhoAmIRequest;
import dev.pageferry.proto.cluster.v1.WhoAmIResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** {@code ferry whoami}. */
@Command(name = "whoami", description = "Who you are to the coordinator, by the certificate of this command.")
public final class WhoAmICommand implements Callable<Integer> {
  private final Session.Opener ferry;

  public WhoAmICommand(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.inSession(session -> {
      WhoAmIResponse response = session.connection()
          .readAccess(stub -> stub.whoAmI(WhoAmIRequest.getDefaultInstance()));
      session.output().document(response, palette -> text(response));
      return ExitCode.DONE;
    });
  }

  private static String text(WhoAmIResponse response) {
    return response.getCluster().isEmpty()
        ? "anybody: this cluster works without certificates, and everybody may do everything\n"
        : new Details().add("cluster", response.getCluster()).add("role", response.getRole())
            .add("name", response.getName()).text();
  }
}
