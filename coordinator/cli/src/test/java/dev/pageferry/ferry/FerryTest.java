package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.CreateVmRequest;
import dev.pageferry.proto.cluster.v1.DeleteVmResponse;
import dev.pageferry.proto.cluster.v1.ListHostsResponse;
import dev.pageferry.proto.cluster.v1.ListVmsResponse;
import dev.pageferry.proto.cluster.v1.VerifyVmUpdate;
import dev.pageferry.proto.cluster.v1.VmVerification;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FerryTest extends CommandFixture {
  @Test
  void listsArePrintedAsAlignedTables() {
    cluster.answer("ListHosts", ListHostsResponse.newBuilder().addHosts(Samples.HOST)
        .addHosts(Samples.HOST.toBuilder().setId("b").setVms(12)).build());

    assertThat(ferry.run("host", "list")).isZero();

    assertThat(ferry.out()).isEqualTo("""
        HOST    STATE  ADDRESS         MEMORY  FREE   VMS  VERSION
        host-a  UP     127.0.0.1:7410  8 GiB   7 GiB    0  0.1.0
        b       UP     127.0.0.1:7410  8 GiB   7 GiB   12  0.1.0
        """);
    assertThat(ferry.err()).isEmpty();
  }

  @Test
  void jsonPrintsFieldsThatAreAtTheirDefault() {
    cluster.answer("GetHost", Samples.HOST);

    assertThat(ferry.run("host", "show", "host-a", "-o", "json")).isZero();

    assertThat(ferry.out()).isEqualTo("""
        {
          "id": "host-a",
          "state": "UP",
          "address": "127.0.0.1:7410",
          "migrationAddress": "127.0.0.1:7420",
          "memoryBytes": "8589934592",
          "memoryFreeBytes": "7516192768",
          "vms": 0,
          "version": "0.1.0",
          "inDoubt": [],
          "fenceDevices": []
        }
        """);
  }

  @Test
  void anEmptyListIsAnEmptyListInJson() {
    cluster.answer("ListVms", ListVmsResponse.getDefaultInstance());

    ferry.run("vm", "list", "-o", "json");

    assertThat(ferry.out().replaceAll("\\s", "")).isEqualTo("{\"vms\":[]}");
  }

  @Test
  void showPrintsAValuePerLine() {
    cluster.answer("GetVm", Samples.VM);

    ferry.run("vm", "show", "web-1");

    assertThat(ferry.outLines()).contains("state:         RUNNING", "memory:        1 GiB", "program args:  seed=7");
  }

  @Test
  void stateWordsAreColoredOnATerminalOnly() {
    cluster.answer("GetVm", Samples.VM);
    ferry.run("vm", "show", "web-1");
    assertThat(ferry.out()).doesNotContain("\u001b");

    ferry.terminal = true;
    ferry.run("vm", "show", "web-1");
    assertThat(ferry.out()).contains("\u001b[32mRUNNING\u001b[0m");

    ferry.run("vm", "show", "web-1", "--no-color");
    assertThat(ferry.out()).doesNotContain("\u001b");

    ferry.environment.put("NO_COLOR", "1");
    ferry.run("vm", "show", "web-1");
    assertThat(ferry.out()).doesNotContain("\u001b");
  }

  @ParameterizedTest
  @CsvSource({"NOT_FOUND,3", "FAILED_PRECONDITION,4", "ALREADY_EXISTS,4", "RESOURCE_EXHAUSTED,4", "ABORTED,4",
      "UNAVAILABLE,5", "INVALID_ARGUMENT,2", "DATA_LOSS,1", "INTERNAL,1", "UNKNOWN,1", "UNIMPLEMENTED,1"})
  void everyStatusHasItsExitCodeAndOneLine(Status.Code code, int exitCode) {
    cluster.refuse("GetVm", code.toStatus().withDescription("no such\nVM"));

    assertThat(ferry.run("vm", "show", "web-1")).isEqualTo(exitCode);

    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err()).startsWith("ferry: ").hasLineCount(1);
  }

  @Test
  void theRefusalIsWhatTheCoordinatorSaid() {
    cluster.refuse("GetVm", Status.NOT_FOUND.withDescription("no VM 'x';\nnone has that name; see 'ferry vm list'"));

    ferry.run("vm", "show", "x");

    assertThat(ferry.err()).isEqualTo("ferry: no VM 'x'; none has that name; see 'ferry vm list'\n");
  }

  @Test
  void anUnreachableCoordinatorIsSaidSo() {
    cluster.stop();

    assertThat(ferry.run("vm", "stop", "web-1")).isEqualTo(5);

    assertThat(ferry.err()).isEqualTo("ferry: cannot reach the coordinator at " + cluster.address()
        + "; Connection refused; start it, or name another with --coordinator\n");
  }

  @Test
  void aChangeThatWasNotAnsweredInTimeIsInDoubt() {
    cluster.refuse("StopVm", Status.DEADLINE_EXCEEDED);
    cluster.refuse("GetVm", Status.DEADLINE_EXCEEDED);

    assertThat(ferry.run("vm", "stop", "web-1")).isEqualTo(6);
    assertThat(ferry.run("vm", "show", "web-1")).isEqualTo(5);
  }

  @ParameterizedTest
  @ValueSource(strings = {"vm show", "vm list --wrong", "vm list surplus", "vm drain x", "vm create web-1",
      "vm create web-1 --host a --memory 5parsecs", "vm create web-1 --host a --memory 0",
      "vm create web-1 --host a --vcpus none", "vm create web-1 --host a --program-arg rate",
      "vm create web-1 --host a --program-arg rate=1 rate=2", "migrate live web-1",
      "migrate live web-1 --to b --max-bandwidth 1000000", "migrate live web-1 --to b --downtime-limit 300",
      "migrate live web-1 --to b --streams 17", "migrate live web-1 --to b --on-stall pray",
      "migrate live web-1 --to b --watch --detach", "vm list -o xml", "vm list --coordinator nowhere",
      "vm list --coordinator 127.0.0.1:0", "host list --config /does/not/exist.yaml"})
  void wrongUsageExitsWithTwoAndOneLine(String commandLine) {
    assertThat(ferry.run(commandLine.split(" "))).isEqualTo(2);

    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err()).startsWith("ferry: ").hasLineCount(1);
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void aMisspeltCommandIsAnsweredWithTheOneThatWasMeant() {
    ferry.run("vm", "pasue", "web-1");

    assertThat(ferry.err())
        .isEqualTo("ferry: unknown command 'pasue'; did you mean 'pause'?; see 'ferry vm --help'\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "vm", "host", "migrate", "migration", "records"})
  void aCommandThatOnlyLeadsToOthersShowsThem(String group) {
    String[] args = group.isEmpty() ? new String[0] : new String[]{group};

    assertThat(ferry.run(args)).isEqualTo(2);

    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err()).startsWith("Usage: ferry");
  }

  @Test
  void helpAndVersionGoToStdoutEverywhere() {
    assertThat(ferry.run("vm", "create", "--help")).isZero();
    assertThat(ferry.out()).startsWith("Usage: ferry vm create").contains("--coordinator=HOST:PORT");

    assertThat(ferry.run("vm", "list", "--version")).isZero();
    assertThat(ferry.out()).isEqualTo("ferry dev\n");
  }

  @Test
  void helpNamesNoCommandThatDoesNotWorkYet() {
    ferry.run("vm", "--help");
    assertThat(ferry.out()).contains("save", "ping").doesNotContain("dirty-rate");

    ferry.run("migrate", "--help");
    assertThat(ferry.out()).contains("live", "quick").doesNotContain("plan");

    ferry.run("--help");
    assertThat(ferry.out()).contains("disk", "validate", "events", "rebalance");

    ferry.run("host", "--help");
    assertThat(ferry.out()).contains("drain", "activate", "set", "fence-test");
  }

  @Test
  void globalOptionsWorkBeforeAndAfterTheSubCommand() {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(Samples.VM).build());
    ferry.environment.clear();

    ferry.run("--coordinator", cluster.address(), "-o", "json", "vm", "list");
    String before = ferry.out();
    ferry.run("vm", "list", "-o", "json", "--coordinator", cluster.address());

    assertThat(before).contains("\"programArgs\"").isEqualTo(ferry.out());
  }

  @Test
  void aFlagWinsOverTheEnvironmentWhichWinsOverTheFile(@TempDir Path directory) throws IOException {
    cluster.answer("ListVms", ListVmsResponse.newBuilder().addVms(Samples.VM).build());
    Path file = Files.writeString(directory.resolve("ferry.yaml"), "coordinator: 127.0.0.1:1\noutput: json\n");

    assertThat(ferry.run("--config", file.toString(), "vm", "list")).isZero();
    assertThat(ferry.out()).startsWith("{");

    ferry.environment.put("FERRY_OUTPUT", "table");
    ferry.run("--config", file.toString(), "vm", "list");
    assertThat(ferry.out()).startsWith("NAME");

    ferry.run("--config", file.toString(), "vm", "list", "-o", "json");
    assertThat(ferry.out()).startsWith("{");
  }

  @Test
  void anUnknownSettingIsRefusedTogetherWithAllOtherProblems(@TempDir Path directory) throws IOException {
    Path file = Files.writeString(directory.resolve("ferry.yaml"), "coordinater: 127.0.0.1:1\nquiet: maybe\n");

    assertThat(ferry.run("vm", "list", "--config", file.toString())).isEqualTo(2);

    assertThat(ferry.err()).hasLineCount(1).contains("did you mean 'coordinator'?",
        "'maybe' is neither true nor false");
  }

  @Test
  void createSendsWhatWasAskedForAndItsDefaults() {
    cluster.answer("CreateVm", Samples.VM);

    assertThat(ferry.run("vm", "create", "--program", "uniform", "--program-arg", "rate=1", "seed=7", "web-1", "--host",
        "host-a", "--program-arg", "fill=random")).isZero();

    assertThat(cluster.onlyRequest(CreateVmRequest.class)).isEqualTo(CreateVmRequest.newBuilder().setName("web-1")
        .setHost("host-a").setMemoryBytes(1L << 30).setVcpus(1).setProgram("uniform")
        .putAllProgramArgs(Map.of("rate", "1", "seed", "7", "fill", "random")).build());
    assertThat(ferry.outLines()).hasSize(2).last().asString().startsWith("web-1").contains("RUNNING", "1 GiB");
  }

  @Test
  void optionsOfTheOtherHypervisorAreWrongUsageInsteadOfBeingIgnored() {
    assertThat(ferry.run("vm", "create", "web-1", "--host", "host-a", "--kernel", "/boot/vmlinuz"))
        .isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).hasLineCount(1).contains("--kernel", "are for a machine of QEMU");
    assertThat(
        ferry.run("vm", "create", "web-1", "--host", "host-a", "--hypervisor", "qemu", "--kernel", "/boot/vmlinuz",
            "--program", "hotset"))
        .isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).hasLineCount(1).contains("--program", "are for the built-in machine");
    assertThat(cluster.requests()).isEmpty();
  }

  @Test
  void deletingSaysSoOnStderrUnlessQuietAndIsAnEmptyDocumentInJson() {
    cluster.answer("DeleteVm", DeleteVmResponse.getDefaultInstance());

    ferry.run("vm", "delete", "web-1");
    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err()).isEqualTo("web-1 deleted\n");

    ferry.run("vm", "delete", "web-1", "-q");
    assertThat(ferry.err()).isEmpty();

    ferry.run("vm", "delete", "web-1", "-o", "json");
    assertThat(ferry.out().replaceAll("\\s", "")).isEqualTo("{\"requestId\":\"id-3\"}");
  }

  @Test
  void anIdenticalTwinVerifiesTheVm() {
    VmVerification result = VmVerification.newBuilder().setName("web-1").setHost("host-b").setSteps(1000)
        .setIdentical(true).build();
    cluster.answer("VerifyVm", VerifyVmUpdate.newBuilder().setReplayedSteps(500).setTotalSteps(1000).build(),
        VerifyVmUpdate.newBuilder().setReplayedSteps(1000).setTotalSteps(1000).setResult(result).build());

    assertThat(ferry.run("vm", "verify", "web-1")).isZero();

    assertThat(ferry.outLines()).contains("identical:  yes");
    assertThat(ferry.err()).isEqualTo("replaying web-1: 50 % of 1000 steps\n");
  }

  @Test
  void aDifferentTwinExitsWithOneAndNamesThePage() {
    VmVerification result = VmVerification.newBuilder().setName("web-1").setHost("host-b").setFirstDifference(17)
        .build();
    cluster.answer("VerifyVm", VerifyVmUpdate.newBuilder().setResult(result).build());

    assertThat(ferry.run("vm", "verify", "web-1", "-o", "json", "-q")).isEqualTo(1);

    assertThat(ferry.out().replaceAll("\\s", ""))
        .isEqualTo(
            "{\"name\":\"web-1\",\"host\":\"host-b\",\"steps\":\"0\",\"identical\":false,\"firstDifference\":\"17\"}");
    assertThat(ferry.err()).startsWith("ferry: web-1 is not identical").contains("page 17").hasLineCount(1);
  }

  @Test
  void whereOnlyRegistersDifferNoPageIsNamed() {
    VmVerification result = VmVerification.newBuilder().setName("web-1").setHost("host-b").setSteps(1000).build();
    cluster.answer("VerifyVm", VerifyVmUpdate.newBuilder().setResult(result).build());

    assertThat(ferry.run("vm", "verify", "web-1", "-q")).isEqualTo(1);
    assertThat(ferry.outLines()).contains("first difference:  no page: registers differ");
    assertThat(ferry.err()).contains("the registers differ").doesNotContain("page ");

    ferry.run("vm", "verify", "web-1", "-q", "-o", "json");
    assertThat(ferry.out()).doesNotContain("firstDifference");
  }

  @Test
  void aReplayThatEndsWithoutAResultIsAFailure() {
    cluster.answer("VerifyVm", VerifyVmUpdate.newBuilder().setTotalSteps(1000).build());

    assertThat(ferry.run("vm", "verify", "web-1", "-q")).isEqualTo(1);

    assertThat(ferry.err()).contains("without a result").hasLineCount(1);
  }
}
