package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonParser;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.GetVmRequest;
import dev.pageferry.proto.cluster.v1.QemuMachine;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.VmDestination;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Machines of QEMU, as operators ask for them and see them. */
class QemuCommandsTest extends CommandFixture {
  private static final Vm VM = Samples.VM.toBuilder().clearProgram()
      .setQemu(QemuMachine.newBuilder().setMachine("pc-q35-10.0").setCpu("qemu64").setAccel("tcg")
          .setAccelReason("there is no /dev/kvm").addCdroms("iso").addArguments("rtc=base=localtime"))
      .addDestinations(VmDestination.newBuilder().setHost("host-b").setEligible(true))
      .addDestinations(VmDestination.newBuilder().setHost("host-c").setReason("host host-c: no machine type"))
      .addDestinations(VmDestination.newBuilder().setHost("host-d").setEligible(true)).build();

  private int create(String... more) {
    List<String> arguments = new ArrayList<>(
        List.of("vm", "create", "web-1", "--host", "host-a", "--hypervisor", "qemu"));
    arguments.addAll(List.of(more));
    return ferry.run(arguments.toArray(String[]::new));
  }

  @Test
  void createSendsWhatTheMachineIsToBe() {
    cluster.answer("CreateVm", VM);

    assertThat(create("--machine", "q35", "--accel", "auto", "--firmware", "uefi", "--disk", "root", "--cdrom", "iso",
        "--qemu-arg", "rtc=base=localtime", "--qemu-arg", "no-hpet")).isZero();

    CreateVmRequest request = cluster.onlyRequest(CreateVmRequest.class);
    assertThat(request.getDisksList()).containsExactly("root");
    assertThat(request.getQemu())
        .isEqualTo(QemuMachine.newBuilder().setMachine("q35").setAccel("auto").setFirmware("uefi").addCdroms("iso")
            .addArguments("rtc=base=localtime").addArguments("no-hpet").build());
  }

  @Test
  void aMachineMayBootFromACdromAlone() {
    cluster.answer("CreateVm", VM);
    assertThat(create("--cdrom", "iso")).isZero();
    assertThat(create()).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).hasLineCount(1).contains("--kernel FILE, or --disk NAME or --cdrom NAME");
  }

  @Test
  void whatThereIsNotIsRefusedByName() {
    assertThat(create("--cdrom", "iso", "--firmware", "coreboot")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).hasLineCount(1).contains("'coreboot' is not bios or uefi");
    assertThat(create("--cdrom", "iso", "--accel", "hvf")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).hasLineCount(1).contains("'hvf' is not auto, kvm or tcg");
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void aVmIsShownWithWhatWasChosenAndWhereItCanGo() {
    cluster.answer("GetVm", VM);

    assertThat(ferry.run("vm", "show", "web-1")).isZero();
    assertThat(cluster.onlyRequest(GetVmRequest.class).getDestinations()).isTrue();
    assertThat(ferry.out()).containsPattern("machine: +pc-q35-10.0\n")
        .containsPattern("accelerator: +tcg \\(there is no /dev/kvm\\)\n").containsPattern("cdroms: +iso\n")
        .containsPattern("can move to: +host-b, host-d\n")
        .containsPattern("not to host-c: +host host-c: no machine type\n");

    ferry.run("vm", "show", "web-1", "-o", "json");
    var json = JsonParser.parseString(ferry.out()).getAsJsonObject();
    assertThat(json.getAsJsonObject("qemu").get("accelReason").getAsString()).isEqualTo("there is no /dev/kvm");
    assertThat(json.getAsJsonArray("destinations").get(1).toString())
        .isEqualTo("{\"host\":\"host-c\",\"eligible\":false,\"reason\":\"host host-c: no machine type\"}");
  }
}
