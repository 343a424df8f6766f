package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.DeleteDiskResponse;
import dev.pageferry.proto.cluster.v1.DeleteVmResponse;
import dev.pageferry.proto.cluster.v1.DeleteVtepResponse;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.MigrateLiveRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.RestoreVmUpdate;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import dev.pageferry.proto.cluster.v1.Vtep;
import io.grpc.Status;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands that change something: the ids of their requests, and what a lost answer means. */
final class ChangeTest extends CommandFixture {
  private static final Vm STOPPED = Samples.VM.toBuilder().setState(Vm.State.STOPPED).build();
  private static final Vm SAVED = Samples.VM.toBuilder().setState(Vm.State.SAVED).build();

  @BeforeEach
  void answer() {
    cluster.answer("GetVm", STOPPED);
    cluster.answer("GetMigration", Samples.COMPLETED);
  }

  static Stream<Arguments> changes() {
    return Stream.of(change("CreateVm", Samples.VM, "vm create web --host a"),
        change("StartVm", Samples.VM, "vm start web"),
        change("PauseVm", Samples.VM, "vm pause web"), change("ResumeVm", Samples.VM, "vm resume web"),
        change("StopVm", Samples.VM, "vm stop web"),
        change("DeleteVm", DeleteVmResponse.getDefaultInstance(), "vm delete web"),
        change("SaveVm", SaveVmUpdate.newBuilder().setVm(SAVED).build(), "vm save web"),
        change("CreateDisk", Disk.getDefaultInstance(), "disk create data --size 1GiB"),
        change("DeleteDisk", DeleteDiskResponse.getDefaultInstance(), "disk delete data"),
        change("AddVtep", Vtep.getDefaultInstance(), "vtep add desk --address 10.0.0.1:4789"),
        change("DeleteVtep", DeleteVtepResponse.getDefaultInstance(), "vtep delete desk"),
        change("MigrateLive", Samples.COMPLETED, "migrate live web --to b --detach"),
        change("MigrateQuick", Samples.COMPLETED, "migrate quick web --to b --detach"),
        change("CancelMigration", Samples.COMPLETED, "migration cancel m-1"));
  }

  private static Arguments change(String method, Message answer, String command) {
    return Arguments.of(method, answer, List.of(command.split(" ")));
  }

  private int run(List<String> command, String... more) {
    return ferry.run(Stream.concat(command.stream(), Stream.of(more)).toArray(String[]::new));
  }

  @ParameterizedTest
  @MethodSource("changes")
  void aChangeThatBrokeAfterItWasSentIsInDoubtAndSaysHowToRepeatIt(String method, Message answer,
      List<String> command) {
    cluster.dieAt(method);

    assertThat(run(command)).isEqualTo(ExitCode.IN_DOUBT);

    assertThat(ferry.out()).isEmpty();
    assertThat(ferry.err()).hasLineCount(1).contains("not known whether this was done", "--request-id id-1");
  }

  @ParameterizedTest
  @MethodSource("changes")
  void aChangeThatWasCertainlyNotSentIsUnreachable(String method, Message answer, List<String> command) {
    cluster.stop();

    assertThat(run(command)).isEqualTo(ExitCode.UNREACHABLE);

    assertThat(ferry.err()).hasLineCount(1).contains("cannot reach");
  }

  @ParameterizedTest
  @MethodSource("changes")
  void aChangeHasAnIdThatJsonAndVerboseShow(String method, Message answer, List<String> command) {
    cluster.answer(method, answer);

    assertThat(run(command, "-o", "json", "-v")).isZero();
    assertThat(ferry.out()).contains("\"requestId\": \"id-1\"");
    assertThat(ferry.err()).contains("request id: id-1\n");

    assertThat(run(command, "--request-id", "mine")).isZero();
    assertThat(ferry.err()).doesNotContain("request id");
    assertThat(cluster.requestIds()).containsExactly("id-1", "mine");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"vm show web", "vm list", "vm verify web -q", "vm digest web", "migration list", "disk list"})
  void aQuestionThatBrokeIsUnreachableBecauseItChangesNothing(String command) {
    List.of("GetVm", "ListVms", "VerifyVm", "DigestVm", "ListMigrations", "ListDisks").forEach(cluster::dieAt);

    assertThat(ferry.run(command.split(" "))).isEqualTo(ExitCode.UNREACHABLE);
    assertThat(cluster.requestIds()).isEmpty();
  }

  @Test
  void anAcceptedMigrationIsFollowedUnderItsRequestsId() {
    cluster.answer("MigrateLive", Migration.newBuilder().setId("m-1").build());
    cluster.answer("WatchMigration", Samples.COMPLETED);

    assertThat(ferry.run("migrate", "live", "web", "--to", "b", "-o", "json", "--request-id", "mine")).isZero();

    assertThat(ferry.out()).contains("\"requestId\": \"mine\"", "COMPLETED");
    assertThat(cluster.onlyRequest(MigrateLiveRequest.class).getRequestId()).isEqualTo("mine");
  }

  @Test
  void aRestoreThatBrokeIsInDoubt() {
    cluster.answer("GetVm", SAVED);
    cluster.dieAt("RestoreVm");

    assertThat(ferry.run("vm", "start", "web", "-q")).isEqualTo(ExitCode.IN_DOUBT);
    assertThat(ferry.err()).contains("--request-id id-1");

    cluster.startAgain();
    cluster.answer("RestoreVm", RestoreVmUpdate.newBuilder().setVm(Samples.VM).build());
    assertThat(ferry.run("vm", "start", "web", "-o", "json", "--request-id", "id-1")).isZero();
    assertThat(ferry.out()).contains("\"requestId\": \"id-1\"");
  }

  @ParameterizedTest
  @CsvSource({"UNAVAILABLE,6", "DEADLINE_EXCEEDED,6", "CANCELLED,6", "UNKNOWN,6", "INTERNAL,6", "DATA_LOSS,7",
      "FAILED_PRECONDITION,4", "ALREADY_EXISTS,4", "NOT_FOUND,3", "INVALID_ARGUMENT,2"})
  void onlyWhatTheCoordinatorDecidedSaysThatNothingWasDone(Status.Code code, int exitCode) {
    cluster.refuse("StopVm", code.toStatus().withDescription("broken"));
    assertThat(ferry.run("vm", "stop", "web")).isEqualTo(exitCode);
    assertThat(ferry.err()).hasLineCount(1);

    cluster.decide("StopVm", Status.INTERNAL.withDescription("host a: it did not work"));
    assertThat(ferry.run("vm", "stop", "web")).isEqualTo(ExitCode.FAILED);
  }

  @Test
  void anIdThatCannotBeSentIsWrongUsage() {
    assertThat(ferry.run("vm", "stop", "web", "--request-id", "two words")).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.run("vm", "stop", "web", "--request-id", "")).isEqualTo(ExitCode.USAGE);
    assertThat(cluster.requests()).isEmpty();
  }
}
