package dev.pageferry.agent.migration;

import dev.pageferry.common.identity.MigrationId;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a migration logs: every line names the migration and the VM. */
public interface MigrationLog {
  /** For migrations that nobody asked for. */
  MigrationLog SILENT = (isWarning, what, values) -> {
  };

  /** Makes the log of one migration. */
  interface Factory {
    MigrationLog of(MigrationId migration, String vm);
  }

  /** Lines in the program's log. */
  static MigrationLog of(MigrationId migration, String vm) {
    Logger log = LoggerFactory.getLogger("migration");
    String prefix = "migration=" + migration + " vm=" + vm + " ";
    return (isWarning, what, values) -> {
      if (isWarning) {
        log.warn(prefix + what, values);
      } else {
        log.info(prefix + what, values);
      }
    };
  }

  /** @param what a message in SLF4J's form, with {} for each value; a Throwable may come last */
  void line(boolean isWarning, String what, Object... values);

  default void info(String what, Object... values) {
    line(false, what, values);
  }

  default void warn(String what, Object... values) {
    line(true, what, values);
  }
}
