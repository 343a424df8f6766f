package dev.pageferry.common.migration;

import dev.pageferry.common.identity.MigrationId;
import dev.pageferry.common.identity.VmId;

/** How files of saved VMs are called: both sides know the name without telling each other. */
public final class StateFiles {
  public static final String SUFFIX = ".state";

  private StateFiles() {
  }

  /** The name of the file that one operation on a VM writes. */
  public static String name(VmId vm, MigrationId operation) {
    return vm + "." + operation + SUFFIX;
  }
}
