package dev.pageferry.ferry.command;

import dev.pageferry.common.migration.FailureCode;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.function.Supplier;

/** How a migration ended, as an exit code. */
final class MigrationOutcome {
  private MigrationOutcome() {
  }

  /**
   * Whether this document says how the migration ended.
   *
   * @param complete
   *          whether the coordinator said that there is nothing more to come; a doubt may yet be
   *          resolved
   */
  static boolean isFinal(Migration migration, boolean complete) {
    return switch (migration.getState()) {
      case COMPLETED, FAILED, CANCELLED -> true;
      case IN_DOUBT -> complete;
      case QUEUED, RUNNING, STATE_UNSPECIFIED, UNRECOGNIZED -> false;
    };
  }

  /**
   * The exit code of a migration that completed; any other end is a {@link Failure}.
   *
   * @param vm
   *          asked where it failed: the state of its VM now, unspecified if that is not known
   */
  static int exitCode(Migration end, Supplier<Vm.State> vm) {
    return switch (end.getState()) {
      case COMPLETED -> ExitCode.DONE;
      case FAILED -> throw failed(end, vm.get());
      case CANCELLED -> throw new Failure(ExitCode.FAILED, "migration %s of %s was cancelled; %s".formatted(end.getId(),
          end.getVm(), reason(end, "the VM stays on %s; start another when you want to".formatted(end.getSource()))));
      case IN_DOUBT -> throw new Failure(ExitCode.IN_DOUBT,
          "migration %s of %s is in doubt; %s; look again with 'ferry migration show %s'"
              .formatted(end.getId(), end.getVm(), reason(end, "it is not known yet who runs the VM"), end.getId()));
      case QUEUED, RUNNING, STATE_UNSPECIFIED, UNRECOGNIZED ->
        throw new IllegalStateException("not the end: " + end.getState());
    };
  }

  /**
   * A failed migration loses nothing, as long as no host died with the VM. The failure alone does not say so: a source that
   * was lost may have taken the VM with it, or may only have been cut off, and the destination says SOURCE_LOST of a mere
   * broken link.
   */
  private static Failure failed(Migration end, Vm.State vm) {
    String line = "migration %s of %s failed; %s".formatted(end.getId(), end.getVm(),
        reason(end, "the VM stays on %s; try again".formatted(end.getSource())));
    String code = end.getFailure().getCode();
    if (code.equals(FailureCode.LOST_AFTER_COMMIT.name())) {
      return new Failure(ExitCode.VM_DOWN, line);
    }
    boolean sourceLost = code.equals(FailureCode.SOURCE_LOST.name());
    return switch (vm) {
      case FAILED -> new Failure(ExitCode.VM_DOWN,
          "%s; VM %s is down: 'ferry vm start %s' boots it anew".formatted(line, end.getVm(), end.getVm()));
      case UNKNOWN -> new Failure(sourceLost ? ExitCode.VM_DOWN : ExitCode.IN_DOUBT,
          "%s; the host of VM %s is not heard, see 'ferry vm show %s'".formatted(line, end.getVm(), end.getVm()));
      case STATE_UNSPECIFIED, UNRECOGNIZED -> new Failure(sourceLost ? ExitCode.VM_DOWN : ExitCode.FAILED, line);
      case RUNNING, PAUSED, STOPPED, SAVED, MIGRATING -> new Failure(ExitCode.FAILED, line);
    };
  }

  private static String reason(Migration end, String otherwise) {
    if (!end.hasFailure()) {
      return otherwise;
    }
    return "%s: %s".formatted(end.getFailure().getCode(), end.getFailure().getMessage());
  }
}
