package dev.pageferry.coordinator.cli;

import dev.pageferry.common.stage.FailureCode;
import dev.pageferry.proto.cluster.v1.Migration;

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

  /** The exit code of a migration that completed; any other end is a {@link Failure}. */
  static int exitCode(Migration end) {
    return switch (end.getState()) {
      case COMPLETED -> ExitCode.DONE;
      case FAILED ->
        throw new Failure(failedExitCode(end), "migration %s of %s failed; %s".formatted(end.getId(), end.getVm(),
            reason(end, "the VM stays on %s; try again".formatted(end.getSource()))));
      case CANCELLED -> throw new Failure(ExitCode.FAILED, "migration %s of %s was cancelled; %s".formatted(end.getId(),
          end.getVm(), reason(end, "the VM stays on %s; start another when you want to".formatted(end.getSource()))));
      case IN_DOUBT -> throw new Failure(ExitCode.IN_DOUBT,
          "migration %s of %s is in doubt; %s; look again with 'ferry migration show %s'"
              .formatted(end.getId(), end.getVm(), reason(end, "it is not known yet who runs the VM"), end.getId()));
      case QUEUED, RUNNING, STATE_UNSPECIFIED, UNRECOGNIZED ->
        throw new IllegalStateException("not the end: " + end.getState());
    };
  }

  private static int failedExitCode(Migration end) {
    return end.getFailure().getCode().equals(FailureCode.LOST_AFTER_COMMIT.name())
        ? ExitCode.VM_DOWN
        : ExitCode.FAILED;
  }

  private static String reason(Migration end, String otherwise) {
    if (!end.hasFailure()) {
      return otherwise;
    }
    return "%s: %s".formatted(end.getFailure().getCode(), end.getFailure().getMessage());
  }
}
