package dev.pageferry.ferry.command;

import dev.pageferry.common.certificate.MemberFolder;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.Role;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ferry cert init}. */
@Command(name = "init", sortOptions = false,
    description = "Makes the authority of a cluster, and certificates of members in the same run.", footer = {"",
        "Writes ca.crt and ca.key, and for each member ROLE/NAME.crt and ROLE/NAME.key. Whoever has ca.key can be anybody",
        "in the cluster: keep it away from hosts, best on a machine of its own. A member needs its own two files, and ca.crt."})
public final class CertInit implements Callable<Integer> {
  private static final Duration TEN_YEARS = Duration.ofDays(3650);

  private final Session.Opener ferry;

  @Option(names = "--cluster", paramLabel = "NAME", required = true, order = 1,
      description = "Name of the cluster: members of another are refused, even of the same authority.")
  private String cluster = "";

  @Option(names = "--host", paramLabel = "H", order = 2, description = "A host, by its --host-id; repeatable.")
  private List<String> hosts = new ArrayList<>();

  @Option(names = "--coordinator-name", paramLabel = "C", order = 3, description = "A coordinator; repeatable.")
  private List<String> coordinators = new ArrayList<>();

  @Option(names = "--operator", paramLabel = "O", order = 4,
      description = "Somebody who may do everything; repeatable.")
  private List<String> operators = new ArrayList<>();

  @Option(names = "--viewer", paramLabel = "V", order = 5, description = "Somebody who may look; repeatable.")
  private List<String> viewers = new ArrayList<>();

  @Option(names = "--metrics", paramLabel = "M", order = 6, description = "A program that reads metrics; repeatable.")
  private List<String> metrics = new ArrayList<>();

  @Option(names = "--dir", paramLabel = "DIR", order = 80,
      description = "Where the files go (default ./ferry-pki).")
  private Path directory = CertOptions.DEFAULT_DIRECTORY;

  @Option(names = "--days", paramLabel = "N", converter = Converters.Days.class, order = 81,
      description = "How long the authority is valid (default 3650); its members are for 365 at most.")
  private Duration valid = TEN_YEARS;

  public CertInit(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    return ferry.locally(session -> {
      Set<Member> members = new LinkedHashSet<>();
      add(members, Role.HOST, hosts);
      add(members, Role.COORDINATOR, coordinators);
      add(members, Role.OPERATOR, operators);
      add(members, Role.VIEWER, viewers);
      add(members, Role.METRICS, metrics);
      // Checks the name of a cluster without members, too.
      Member _ = Certification.named(cluster, Role.HOST, "any");
      Certification.refuseCertified(new MemberFolder(directory), members);
      Certification.make(session, directory, cluster, valid).certify(members);
      MemberFolder folder = new MemberFolder(directory);
      session.output().message("%s certifies members of cluster %s; keep %s away from hosts, and back it up".formatted(
          folder.authorityCertificate(), cluster, folder.authorityKey()));
      return ExitCode.DONE;
    });
  }

  private void add(Set<Member> members, Role role, List<String> names) {
    names.forEach(each -> members.add(Certification.named(cluster, role, each)));
  }
}
