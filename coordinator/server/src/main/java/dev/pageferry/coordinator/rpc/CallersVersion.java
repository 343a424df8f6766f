package dev.pageferry.coordinator.rpc;

import io.grpc.Context;

/** Whether the caller of the present call is of this version: then it tells what it has seen of the records. */
public final class CallersVersion {
  private static final Context.Key<Boolean> TELLS = Context.keyWithDefault("tells-what-it-has-seen", false);

  private CallersVersion() {
  }

  /** False of agents of the version before, and of operators. */
  static boolean isThis() {
    return TELLS.get();
  }

  /** The context of a call by an agent of this version. */
  public static Context ofThis() {
    return Context.current().withValue(TELLS, true);
  }
}
