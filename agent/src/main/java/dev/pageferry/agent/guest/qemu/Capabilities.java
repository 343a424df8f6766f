package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.List;

/** What QEMU's migration is to do beside what it always does. */
final class Capabilities {
  /** It tells how far it is. */
  static final String EVENTS = "events";
  private static final List<String> OURS = List.of("return-path", "switchover-ack", "auto-converge", EVENTS,
      StreamFormat.IGNORE_SHARED);

  private Capabilities() {
  }

  /** Switches these on, and the others that are ever used here off. */
  static void set(Qmp monitor, List<String> on) throws IOException, InterruptedException {
    JsonArray all = new JsonArray();
    for (String each : OURS) {
      JsonObject one = new JsonObject();
      one.addProperty("capability", each);
      one.addProperty("state", on.contains(each));
      all.add(one);
    }
    JsonObject arguments = new JsonObject();
    arguments.add("capabilities", all);
    JsonObject _ = monitor.execute("migrate-set-capabilities", arguments);
  }
}
