package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.RevokeMemberRequest;
import dev.pageferry.proto.cluster.v1.RevokeMemberResponse;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry operator}. */
@Command(name = "operator", description = "People and programs that may ask the coordinator.", footer = {"",
    "'ferry cert operator NAME' certifies one."})
public final class OperatorCommands extends CommandGroup {
  private final Session.Opener ferry;

  public OperatorCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "revoke", sortOptions = false,
      description = "Revokes a name: whoever has it is refused from now on, whatever its certificate says.",
      footer = {"",
          "A host that is revoked keeps its VMs, and cannot start, move or commit any; 'ferry host admit' admits it again."})
  int revoke(@Parameters(paramLabel = "NAME", description = "As its certificate has it.") String name,
      @Option(names = "--role", paramLabel = "ROLE", defaultValue = "operator",
          description = "operator, viewer, metrics or host (default operator).") String role,
      @Mixin RequestOption requestOption) {
    return change(name, role, false, requestOption);
  }

  @Command(name = "permit", sortOptions = false, description = "Permits a name again that was revoked.")
  int permit(@Parameters(paramLabel = "NAME", description = "As its certificate has it.") String name,
      @Option(names = "--role", paramLabel = "ROLE", defaultValue = "operator",
          description = "operator, viewer, metrics or host (default operator).") String role,
      @Mixin RequestOption requestOption) {
    return change(name, role, true, requestOption);
  }

  private int change(String name, String role, boolean permit, RequestOption requestOption) {
    RevokeMemberRequest request = RevokeMemberRequest.newBuilder().setName(name).setRole(role).setPermit(permit)
        .build();
    return ferry.inSession(session -> {
      RevokeMemberResponse response = session.connection().changeAccess(requestOption.change(session),
          stub -> stub.revokeMember(request));
      session.output().document(response, palette -> "");
      if (session.output().isForPeople()) {
        session.output().message("%s %s %s".formatted(role, name, permit ? "permitted" : "revoked"));
      }
      return ExitCode.DONE;
    });
  }

}
