package dev.pageferry.membership;

import dev.pageferry.common.certificate.CertificateAuthority;
import dev.pageferry.common.certificate.MemberFolder;
import dev.pageferry.common.time.Ticker;
import dev.pageferry.common.tls.Credentials;
import dev.pageferry.common.tls.Member;
import dev.pageferry.common.tls.MemberFiles;
import dev.pageferry.common.tls.PeerCheck;
import dev.pageferry.common.tls.Role;
import dev.pageferry.common.tls.TlsContexts;
import dev.pageferry.proto.cluster.v1.AccessGrpc;
import dev.pageferry.proto.cluster.v1.AdmitHostRequest;
import io.grpc.ManagedChannel;
import io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;

/** The members of one cluster, each certified when it is first asked for. For one thread at a time. */
public final class ClusterCertificates {
  private static final String CLUSTER = "test";
  private static final String SOMEBODY = "somebody";
  private static final Duration VALID = Duration.ofDays(365);
  private static final long ADMIT_SECONDS = 30;

  private final MemberFolder folder;
  private final CertificateAuthority authority;

  public ClusterCertificates(Path directory) throws IOException {
    folder = new MemberFolder(directory);
    authority = folder.init(CLUSTER, Instant.now(), VALID, new SecureRandom());
  }

  private MemberFiles files(Role role, String name) throws IOException {
    MemberFiles files = folder.files(role, name);
    return Files.exists(files.certificate())
        ? files
        : folder.write(new Member(CLUSTER, role, name),
            authority.issue(new Member(CLUSTER, role, name), Instant.now(), VALID));
  }

  /** The options of a coordinator; HTTP stays plain, on loopback. */
  public List<String> ofCoordinator() throws IOException {
    return options(files(Role.COORDINATOR, "coordinator"));
  }

  /** The options of a host's agent; HTTP stays plain, on loopback. */
  public List<String> ofHost(String host) throws IOException {
    return options(files(Role.HOST, host));
  }

  private static List<String> options(MemberFiles files) {
    return List.of("--tls-cert", files.certificate().toString(), "--tls-key", files.key().toString(), "--tls-ca",
        files.authorities().toString(), "--http-plain", "true");
  }

  /** The variables by which the operator's command is an operator. */
  public Map<String, String> ofOperator() throws IOException {
    MemberFiles files = files(Role.OPERATOR, SOMEBODY);
    return Map.of("FERRY_TLS_CERT", files.certificate().toString(), "FERRY_TLS_KEY", files.key().toString(),
        "FERRY_TLS_CA", files.authorities().toString());
  }

  /** The options by which the operator's command is an operator. */
  public List<String> ofOperatorAsOptions() throws IOException {
    MemberFiles files = files(Role.OPERATOR, SOMEBODY);
    return List.of("--tls-cert", files.certificate().toString(), "--tls-key", files.key().toString(), "--tls-ca",
        files.authorities().toString());
  }

  /** TLS as a member of that role has it. */
  public SSLContext tls(Role role) throws IOException {
    return Credentials.open(files(role, SOMEBODY), Ticker.SYSTEM).context(PeerCheck.any(Role.COORDINATOR));
  }

  /** A channel to the coordinator there, as an operator. */
  public ManagedChannel operator(String host, int port) throws IOException {
    Credentials operator = Credentials.open(files(Role.OPERATOR, SOMEBODY), Ticker.SYSTEM);
    return NettyChannelBuilder.forAddress(host, port)
        .sslContext(TlsContexts.grpcClient(operator, PeerCheck.any(Role.COORDINATOR))).build();
  }

  /** Has the coordinator take hosts in. */
  public static void admit(ManagedChannel operator, List<String> hosts) {
    var _ = AccessGrpc.newBlockingStub(operator).withWaitForReady().withDeadlineAfter(ADMIT_SECONDS, TimeUnit.SECONDS)
        .admitHost(AdmitHostRequest.newBuilder().addAllHostIds(hosts).build());
  }
}
