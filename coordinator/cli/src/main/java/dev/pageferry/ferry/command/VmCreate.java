package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.VmText;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm create}. */
@Command(name = "create", sortOptions = false, description = "Creates a VM on a host and starts it.", footer = {"",
    "Programs: idle, uniform, hotset, zipf, sequential; with a disk: journal, diskmix. Arguments: rate",
    "(100MB/s; journal 1MB/s; or unlimited), workingSet (all RAM; hotset 64MiB), seed (1), fill",
    "(zero|random), theta (0.99, zipf only), disk (0: the first; journal and diskmix)."})
public final class VmCreate implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the new VM.")
  private String name = "";

  @Option(names = "--host", paramLabel = "HOST", required = true, description = "Where it runs.")
  private String host = "";

  @Option(names = "--memory", paramLabel = "SIZE", converter = Converters.Size.class,
      description = "RAM: KiB MiB GiB TiB, kB MB GB (default 1GiB).")
  private long memoryBytes = 1L << 30;

  @Option(names = "--vcpus", paramLabel = "N", converter = Converters.Count.class, description = "vCPUs (default 1).")
  private int vcpus = 1;

  @Option(names = "--program", paramLabel = "PROGRAM", description = "What the guest does (default idle).")
  private @Nullable String program;

  @Option(names = "--program-arg", paramLabel = "k=v", parameterConsumer = Converters.KeyValues.class,
      description = "An argument of the program; repeatable.")
  private List<String> programArgs = new ArrayList<>();

  @Option(names = "--memory-image", paramLabel = "FILE", description = "Fills the RAM; a path on the host's machine.")
  private @Nullable String memoryImage;

  @Option(names = "--hypervisor", paramLabel = "builtin|qemu", converter = Converters.Hypervisor.class,
      description = "What it runs in (default builtin).")
  private String hypervisor = "builtin";

  @Option(names = "--kernel", paramLabel = "FILE", description = "qemu: the kernel; a path on the host's machine.")
  private @Nullable String kernel;

  @Option(names = "--initrd", paramLabel = "FILE", description = "qemu: its initial RAM disk.")
  private @Nullable String initrd;

  @Option(names = "--append", paramLabel = "TEXT", description = "qemu: its command line.")
  private String append = "";

  @Option(names = "--cpu", paramLabel = "MODEL", description = "qemu: the CPU model (default qemu64).")
  private String cpu = "";

  @Option(names = "--machine", paramLabel = "TYPE",
      description = "qemu: the machine type (default pc-i440fx-10.0). An alias, such as q35, is%n"
          + "resolved on the host.")
  private String machine = "";

  @Option(names = "--accel", paramLabel = "auto|kvm|tcg", converter = Converters.Accelerator.class,
      description = "qemu: KVM, or software emulation; auto (the default) is KVM where the host can run a guest under%n"
          + "it. The VM keeps it, and moves to hosts that have it.")
  private String accel = "";

  @Option(names = "--firmware", paramLabel = "bios|uefi", converter = Converters.Firmware.class,
      description = "qemu: what boots it (default bios). What a guest stores in UEFI variables moves and is saved with the%n"
          + "VM, and is lost when the VM is stopped.")
  private String firmware = "";

  @Option(names = "--cdrom", paramLabel = "NAME",
      description = "qemu: a raw disk, as for --disk, that the guest has as a CD-ROM and cannot write; repeatable.")
  private List<String> cdroms = new ArrayList<>();

  @Option(names = "--qemu-arg", paramLabel = "OPTION[=VALUE]",
      description = "qemu: a further option of QEMU, without its dash, such as rtc=base=localtime; hosts must allow it%n"
          + "(ferry-agent --allow-qemu-arg); repeatable.")
  private List<String> qemuArgs = new ArrayList<>();

  @Option(names = "--disk", paramLabel = "NAME",
      description = "A disk by its name, or the absolute path of a raw file or block device; repeatable.")
  private List<String> disks = new ArrayList<>();

  @Option(names = "--nic", paramLabel = "MAC[@VNI][,ip=ADDRESS]", converter = Converters.Card.class,
      description = "A network card on a network, 1 to 16777215 (default 1), and the address that the guest answers%n"
          + "on (default 10 and the last three bytes of MAC); repeatable.")
  private List<String> nics = new ArrayList<>();

  @Option(names = "--paused", description = "Does not start the vCPUs.")
  private boolean paused;

  @Mixin
  private final RequestOption requestOption = new RequestOption();

  public VmCreate(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    CreateVmRequest request = request();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      Vm vm = session.connection().changePatiently(change, stub -> stub.createVm(request));
      session.output().rows(change.stamped(vm), VmText.table(List.of(vm)));
      return ExitCode.DONE;
    });
  }

  private CreateVmRequest request() {
    CreateVmRequest.Builder request = CreateVmRequest.newBuilder().setName(name).setHost(host)
        .setMemoryBytes(memoryBytes)
        .setVcpus(vcpus).putAllProgramArgs(arguments()).setPaused(paused).addAllDisks(disks)
        .addAllNics(nics);
    if (hypervisor.equals("qemu")) {
      refuse("the built-in machine", program != null || !programArgs.isEmpty() || memoryImage != null,
          "--program, --program-arg and --memory-image");
      request.setQemu(qemu());
    } else {
      refuse("a machine of QEMU",
          kernel != null || initrd != null || !append.isEmpty() || !cpu.isEmpty() || !machine.isEmpty()
              || !accel.isEmpty() || !firmware.isEmpty() || !cdroms.isEmpty() || !qemuArgs.isEmpty(),
          "--kernel, --initrd, --append, --cpu, --machine, --accel, --firmware, --cdrom and --qemu-arg");
      request.setProgram(program == null ? "idle" : program);
    }
    if (memoryImage != null) {
      request.setMemoryImage(memoryImage);
    }
    return request.build();
  }

  private static void refuse(String whose, boolean given, String options) {
    if (given) {
      throw new Failure(ExitCode.USAGE, "%s are for %s; see --hypervisor".formatted(options, whose));
    }
  }

  private QemuMachine qemu() {
    boolean hasDisk = !disks.isEmpty() || !cdroms.isEmpty();
    if (kernel == null && (!hasDisk || initrd != null || !append.isEmpty())) {
      throw new Failure(ExitCode.USAGE, !hasDisk
          ? "a machine of QEMU needs --kernel FILE, or --disk NAME or --cdrom NAME to boot from"
          : "--initrd and --append need --kernel FILE");
    }
    QemuMachine.Builder asked = QemuMachine.newBuilder().setMachine(machine).setCpu(cpu).setAppend(append)
        .setAccel(accel).setFirmware(firmware).addAllCdroms(cdroms).addAllArguments(qemuArgs);
    if (kernel != null) {
      asked.setKernel(kernel);
    }
    if (initrd != null) {
      asked.setInitrd(initrd);
    }
    return asked.build();
  }

  private Map<String, String> arguments() {
    Map<String, String> arguments = new LinkedHashMap<>();
    for (String pair : programArgs) {
      int equals = pair.indexOf('=');
      String key = pair.substring(0, equals);
      if (arguments.put(key, pair.substring(equals + 1)) != null) {
        throw new Failure(ExitCode.USAGE,
            "program argument '%s' is given twice; only one value can hold; leave one out".formatted(key));
      }
    }
    return arguments;
  }
}
