package dev.pageferry.ferry.command;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Details;
import dev.pageferry.ferry.view.Table;
import dev.pageferry.proto.cluster.v1.CreateDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskRequest;
import dev.pageferry.proto.cluster.v1.DeleteDiskResponse;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.GetDiskRequest;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry disk}. */
@Command(name = "disk", description = "Disks on the storage that the hosts share.")
public final class DiskCommands extends CommandGroup {
  private static final String NAME = "Name of the disk.";
  private static final String HOST = "Whose storage is meant, where hosts have different storage.";

  private final Session.Opener ferry;

  public DiskCommands(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Command(name = "create", sortOptions = false,
      description = "Makes a disk of zeros, which takes no room until it is written.")
  int create(@Parameters(paramLabel = "NAME", description = "Name of the new disk.") String name,
      @Option(names = "--size", paramLabel = "SIZE", required = true, converter = Converters.Size.class,
          description = "KiB MiB GiB TiB, kB MB GB; a VHD has at most 2040GiB.") long sizeBytes,
      @Option(names = "--format", paramLabel = "vhd|raw|qcow2", converter = Converters.DiskFormat.class,
          completionCandidates = Candidates.DiskFormats.class, defaultValue = "vhd",
          description = "Fixed VHD, the bare sectors, or qcow2, for machines of QEMU (default vhd).") Disk.Format format,
      @Option(names = "--host", paramLabel = "HOST", defaultValue = "", description = HOST) String host,
      @Mixin RequestOption requestOption) {
    CreateDiskRequest request = CreateDiskRequest.newBuilder().setName(name).setSizeBytes(sizeBytes).setFormat(format)
        .setHost(host).build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      Disk disk = session.connection().changePatiently(change, stub -> stub.createDisk(request));
      session.output().rows(change.stamped(disk), table(List.of(disk)));
      return ExitCode.DONE;
    });
  }

  @Command(name = "list", description = "All disks.")
  int list(@Option(names = "--host", paramLabel = "HOST", defaultValue = "", description = HOST) String host,
      @Mixin ListOptions options) {
    return ferry.inSession(session -> options.show(session, limit -> Pages.disks(session.connection(), host, limit),
        disks -> table(disks.getDisksList()), _ -> {
        }));
  }

  @Command(name = "show", description = "One disk.")
  int show(@Parameters(paramLabel = "NAME", description = NAME) String name,
      @Option(names = "--host", paramLabel = "HOST", defaultValue = "", description = HOST) String host) {
    GetDiskRequest request = GetDiskRequest.newBuilder().setName(name).setHost(host).build();
    return ferry.inSession(session -> {
      Disk disk = session.connection().read(stub -> stub.getDisk(request));
      session.output().document(disk, palette -> details(disk).text());
      return ExitCode.DONE;
    });
  }

  @Command(name = "delete", description = "Deletes a disk that no VM has, and all that is on it.")
  int delete(@Parameters(paramLabel = "NAME", description = NAME) String name,
      @Option(names = "--host", paramLabel = "HOST", defaultValue = "", description = HOST) String host,
      @Mixin RequestOption requestOption) {
    DeleteDiskRequest request = DeleteDiskRequest.newBuilder().setName(name).setHost(host).build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      DeleteDiskResponse response = session.connection().change(change, stub -> stub.deleteDisk(request));
      session.output().document(change.stamped(response), palette -> "");
      if (session.output().isForPeople()) {
        session.output().message(name + " deleted");
      }
      return ExitCode.DONE;
    });
  }

  private static Table table(List<Disk> disks) {
    Table table = new Table("NAME", "FORMAT", "SIZE", "VM", "HOSTS");
    for (Disk disk : disks) {
      table.row(disk.getName(), disk.getFormat(), ByteSize.format(disk.getSizeBytes()), disk.getVm(),
          String.join(",", disk.getHostsList()));
    }
    return table;
  }

  private static Details details(Disk disk) {
    return new Details().add("name", disk.getName()).add("format", disk.getFormat())
        .add("size", ByteSize.format(disk.getSizeBytes())).add("vm", disk.getVm())
        .add("hosts", String.join(",", disk.getHostsList()));
  }
}
