package dev.pageferry.ferry;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.proto.cluster.v1.ValidateRequest;
import dev.pageferry.proto.cluster.v1.ValidateUpdate;
import dev.pageferry.proto.cluster.v1.ValidationCheck;
import dev.pageferry.proto.cluster.v1.ValidationCheck.Result;
import dev.pageferry.proto.cluster.v1.ValidationLink;
import dev.pageferry.proto.cluster.v1.ValidationReport;
import io.grpc.Status;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ferry validate}. */
class ValidateCommandTest extends CommandFixture {
  private static final ValidateUpdate ON_THE_WAY = ValidateUpdate.newBuilder().setTotalSteps(4)
      .setDoing("trying storage")
      .build();

  @TempDir
  Path directory;

  private static ValidationCheck check(String name, Result result, String reason, String cure, String... hosts) {
    return ValidationCheck.newBuilder().setCategory("network").setName(name).setResult(result).setReason(reason)
        .setCure(cure).addAllHosts(List.of(hosts)).build();
  }

  private static ValidateUpdate report(Result result, ValidationCheck... checks) {
    return ValidateUpdate.newBuilder().setReport(ValidationReport.newBuilder().setResult(result).setSeconds(2.5)
        .addHosts("host-a").addHosts("host-b").addAllChecks(List.of(checks))
        .addLinks(ValidationLink.newBuilder().setSource("host-a").setDestination("host-b").setBytesPerSecond(1.1e9)
            .setRoundTripSeconds(0.0002).setPathMtu(1500)))
        .build();
  }

  @Test
  void aReportSaysWhatWasFoundAndWhatToDo() {
    cluster.answer("Validate", ON_THE_WAY, report(Result.WARN, check("two-hosts", Result.PASS, "2 hosts are up", ""),
        check("migration-mtu", Result.WARN, "1400 bytes, others 1500", "raise it", "host-a"),
        check("migration-mtu", Result.WARN, "1300 bytes, others 1500", "raise it", "host-b")));
    assertThat(ferry.run("validate", "host-b", "host-a")).as(ferry.err()).isZero();
    assertThat(cluster.onlyRequest(ValidateRequest.class).getHostIdsList()).containsExactly("host-b", "host-a");
    assertThat(ferry.out()).isEqualTo("""
        RESULT  CHECK          HOSTS   FOUND
        PASS    two-hosts      -       2 hosts are up
        WARN    migration-mtu  host-a  1400 bytes, others 1500
        WARN    migration-mtu  host-b  1300 bytes, others 1500

        What to do:
          migration-mtu (host-a, host-b): raise it

        WARN: 0 failed, 2 warnings, 1 passed, 0 skipped, in 2.5 s
        """);
  }

  @Test
  void aFailedCheckIsTheExitCodeOfAPreconditionThatDoesNotHold() {
    cluster.answer("Validate", report(Result.FAIL, check("two-hosts", Result.FAIL, "1 host is up", "add one")));
    assertThat(ferry.run("validate", "-o", "json")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).contains("ferry: 1 check failed");
    assertThat(ferry.out()).contains("\"result\": \"FAIL\"", "\"bytesPerSecond\": 1.1E9", "\"cure\": \"add one\"");
  }

  @Test
  void aReportIsWrittenAsAPageInWhichNothingOfItIsMarkup() throws Exception {
    cluster.answer("Validate", report(Result.WARN, check("x", Result.WARN, "<script>alert('&')</script>", "\"<b>\"")));
    Path file = directory.resolve("report.html");
    assertThat(ferry.run("validate", "--report", file.toString())).as(ferry.err()).isZero();
    assertThat(file).content().startsWith("<!doctype html>")
        .contains("&lt;script&gt;alert('&amp;')&lt;/script&gt;", "&quot;&lt;b&gt;&quot;", "host-a, host-b", "1.10 GB/s")
        .doesNotContain("<script>");
  }

  @Test
  void aReportThatCannotBeWrittenIsRefusedBeforeAnythingIsDone() {
    Path missing = directory.resolve("not-there/report.html");
    assertThat(ferry.run("validate", "--report", missing.toString())).isEqualTo(ExitCode.USAGE);
    assertThat(ferry.err()).contains("--report: " + missing + " cannot be written").hasLineCount(1);
    assertThat(ferry.run("validate", "--report", directory.toString())).isEqualTo(ExitCode.USAGE);
    assertThat(cluster.requests()).isEmpty();
    assertThat(Files.exists(missing)).isFalse();
  }

  @Test
  void aCoordinatorThatEndsWithoutAReportIsNotTakenForOneThatFoundNothing() {
    cluster.answer("Validate", ON_THE_WAY);
    assertThat(ferry.run("validate")).isEqualTo(ExitCode.FAILED);
    assertThat(ferry.err()).contains("without a report");
    cluster.refuse("Validate", Status.FAILED_PRECONDITION.withDescription("another validation is under way"));
    assertThat(ferry.run("validate")).isEqualTo(ExitCode.REFUSED);
    assertThat(ferry.err()).contains("another validation is under way");
  }
}
