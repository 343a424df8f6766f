package dev.pageferry.agent.migration;

import dev.pageferry.common.migration.FailureCode;

/** Why a migration cannot go on. Before commit is asked every one of them means: the source resumes the guest. */
public abstract sealed class MigrationFailure extends Exception
    permits MigrationFailure.PeerLost, MigrationFailure.PeerAtFault, MigrationFailure.PeerRefused,
    MigrationFailure.Stopped {
  private static final long serialVersionUID = 1L;
  private final FailureCode code;

  private MigrationFailure(FailureCode code, String message) {
    super(message);
    this.code = code;
  }

  public FailureCode code() {
    return code;
  }

  /** The one-line reason. */
  @Override
  public String getMessage() {
    return String.valueOf(super.getMessage());
  }

  /** The peer, or the link to it, is gone or silent. */
  public static final class PeerLost extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public PeerLost(FailureCode code, String message) {
      super(code, message);
    }
  }

  /** The peer sent what the protocol does not allow. */
  public static final class PeerAtFault extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public PeerAtFault(FailureCode code, String message) {
      super(code, message);
    }
  }

  /** The peer said no, or ended the attempt, with a reason. */
  public static final class PeerRefused extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public PeerRefused(FailureCode code, String message) {
      super(code, message);
    }
  }

  /** This side ends the attempt: an operator, a time-out, a policy. */
  public static final class Stopped extends MigrationFailure {
    private static final long serialVersionUID = 1L;

    public Stopped(FailureCode code, String message) {
      super(code, message);
    }
  }
}
