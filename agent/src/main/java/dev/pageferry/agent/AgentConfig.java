package dev.pageferry.agent;

import dev.pageferry.agent.disk.AllowedPaths;
import dev.pageferry.agent.guest.qemu.QemuArgument;
import dev.pageferry.agent.guest.qemu.WrittenPagesFrom;
import dev.pageferry.agent.network.InterfaceUplink;
import dev.pageferry.agent.transport.CongestionControl;
import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.config.Settings;
import dev.pageferry.common.config.SettingsException;
import dev.pageferry.common.identity.HostId;
import dev.pageferry.common.server.ServerSecurity;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * How an agent is set up.
 *
 * @param listen gRPC, for the coordinator
 * @param migrationListen TCP, for other agents
 * @param http metrics and health
 * @param vxlanListen UDP, frames of VMs from other hosts; without it the migration network's address
 * @param uplink the real interface that one network is on
 * @param memoryBytes what this host may give to guests
 * @param advertise the host that others are told, where listening on a wildcard address
 * @param congestionControl of outgoing pages
 * @param storage the directory that hosts share, where disks are
 * @param rehearse whether to move a few tiny guests from this host to itself at start
 * @param runDirectory where the lock of this host's agent is; none: where it is by default
 * @param qemu the program, a path or a name
 * @param allowedPaths directories that operators may name files of guests in
 * @param allowedQemuOptions names of options of QEMU that operators may add to machines
 * @param ramDirectory a tmpfs, for the memory of machines of QEMU
 * @param keepGuests how long machines of QEMU wait for the next agent of this host once this one has ended
 * @param writtenPages who tells which pages machines of QEMU write
 * @param security by what members are known
 * @param joinTokenFile with a token by which this host is taken in
 * @param failpointDirectory for tests only
 */
record AgentConfig(HostId hostId, HostPort coordinator, HostPort listen, HostPort migrationListen, HostPort http,
    Optional<HostPort> vxlanListen, Optional<InterfaceUplink> uplink, long memoryBytes,
    Optional<String> advertise, CongestionControl congestionControl, Optional<Path> storage, boolean rehearse,
    Optional<Path> runDirectory, String qemu,
    List<Path> allowedPaths, Set<String> allowedQemuOptions, Path ramDirectory, Duration keepGuests,
    WrittenPagesFrom writtenPages, ServerSecurity security, Optional<Path> joinTokenFile,
    Optional<Path> failpointDirectory) {
  private static final Path MACHINE_NAME = Path.of("/proc/sys/kernel/hostname");
  private static final Duration MOST_PATIENCE = Duration.ofHours(1);
  static final List<String> NAMES = List.of("host-id", "coordinator", "listen", "migration-listen", "http", "memory",
      "advertise", "congestion-control", "storage", "vxlan-listen", "uplink", "rehearse", "run-dir", "qemu",
      "allow-path", "allow-qemu-arg", "ram-dir", "keep-guests", "written-pages", "join-token-file",
      "failpoint-dir");

  /** @throws SettingsException naming all problems */
  static AgentConfig from(Settings settings) throws SettingsException {
    HostPort listen = settings.optional("listen", HostPort.parse("127.0.0.1:7410"), HostPort::parse);
    HostPort migration = settings.optional("migration-listen", HostPort.parse("127.0.0.1:7420"), HostPort::parse);
    HostPort http = settings.optional("http", HostPort.parse("127.0.0.1:7430"), HostPort::parse);
    AgentConfig config = new AgentConfig(hostId(settings),
        settings.optional("coordinator", HostPort.parse("127.0.0.1:7400"), HostPort::parse),
        listen, migration, http,
        settings.maybe("vxlan-listen", HostPort::parse), settings.maybe("uplink", InterfaceUplink::parse),
        settings.required("memory", 0L, AgentConfig::memory), settings.maybe("advertise", text -> text),
        settings.optional("congestion-control", new CongestionControl(CongestionControl.DEFAULT),
            CongestionControl::new),
        settings.maybe("storage", Path::of),
        settings.optional("rehearse", true, Settings::trueOrFalse),
        settings.maybe("run-dir", Path::of), settings.optional("qemu", "qemu-system-x86_64", text -> text),
        settings.optional("allow-path", List.of(), AgentConfig::directories),
        settings.optional("allow-qemu-arg", Set.of(), QemuArgument::parseAllowed),
        settings.optional("ram-dir", Path.of("/dev/shm"), Path::of),
        settings.optional("keep-guests", Duration.ofSeconds(60), AgentConfig::patience),
        settings.optional("written-pages", WrittenPagesFrom.AUTO, WrittenPagesFrom::parse),
        ServerSecurity.from(settings, http, Map.of("listen", listen, "migration-listen", migration)),
        settings.maybe("join-token-file", Path::of), settings.maybe("failpoint-dir", Path::of));
    if (config.advertise().isEmpty() && (config.listen().isWildcard() || config.migrationListen().isWildcard()
        || config.vxlanListen().filter(HostPort::isWildcard).isPresent())) {
      settings.problem("--advertise is missing: others cannot be told a wildcard address");
    }
    settings.check();
    return config;
  }

  /** By default the machine's name, up to its first dot, where that can be one. */
  private static HostId hostId(Settings settings) {
    HostId placeholder = new HostId("host");
    Optional<HostId> machine = Optional.empty();
    try {
      machine = Optional
          .of(new HostId(Files.readString(MACHINE_NAME).strip().split("\\.", -1)[0].toLowerCase(Locale.ROOT)));
    } catch (IOException | IllegalArgumentException e) {
      // Then it has to be given.
    }
    return machine.isPresent()
        ? settings.optional("host-id", machine.get(), HostId::new)
        : settings.required("host-id", placeholder, HostId::new);
  }

  /** What operators may name: what is on the storage, too. */
  AllowedPaths allowed() {
    return AllowedPaths.of(Stream.concat(allowedPaths.stream(), storage.stream()).toList());
  }

  /**
   * Storage may come later, as when it is mounted late after a boot: the settings are not at fault.
   *
   * @throws IOException if it is not there yet, or cannot be written to
   */
  void requireStorage() throws IOException {
    if (storage.isPresent() && (!Files.isDirectory(storage.get()) || !Files.isWritable(storage.get()))) {
      throw new IOException("storage '%s' is not a directory that this user (%s) can write to; is it mounted?"
          .formatted(storage.get(), System.getProperty("user.name")));
    }
  }

  private static List<Path> directories(String text) {
    return Arrays.stream(text.split(":")).filter(each -> !each.isEmpty()).map(Path::of).toList();
  }

  private static Duration patience(String text) {
    Duration patience = text.equals("0") ? Duration.ZERO : Durations.parse(text);
    if (patience.compareTo(MOST_PATIENCE) > 0 || patience.toMillis() % 1000 != 0) {
      throw new IllegalArgumentException("'%s' is not a number of whole seconds up to 1 h".formatted(text));
    }
    return patience;
  }

  private static long memory(String text) {
    long bytes = ByteSize.parse(text);
    if (bytes <= 0) {
      throw new IllegalArgumentException("'%s' is not more than 0 bytes".formatted(text));
    }
    return bytes;
  }

  /** What others are told for something that listens here. */
  HostPort advertised(HostPort listening, int port) {
    return new HostPort(advertise().orElse(listening.host()), port);
  }
}
