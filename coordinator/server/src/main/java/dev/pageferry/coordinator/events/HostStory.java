package dev.pageferry.coordinator.events;

import dev.pageferry.coordinator.inventory.HostInventory;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.proto.cluster.v1.Event;
import dev.pageferry.proto.cluster.v1.Event.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What happens to hosts: how they are now, beside how they were. */
final class HostStory {
  private final HostInventory inventory;
  private Map<String, Host> before;

  HostStory(HostInventory inventory) {
    this.inventory = inventory;
    this.before = now();
  }

  private Map<String, Host> now() {
    return inventory.list().stream().collect(Collectors.toMap(each -> each.id().value(), each -> each));
  }

  List<Event.Builder> look() {
    List<Event.Builder> seen = new ArrayList<>();
    Map<String, Host> now = now();
    now.values().stream().sorted((a, b) -> a.id().value().compareTo(b.id().value()))
        .forEach(each -> compare(before.get(each.id().value()), each, seen));
    Map<String, Host> gone = new HashMap<>(before);
    gone.keySet().removeAll(now.keySet());
    gone.keySet().stream().sorted()
        .forEach(each -> seen.add(event(Kind.HOST_DELETED, each, "host %s was deleted".formatted(each))));
    before = now;
    return seen;
  }

  private static void compare(@Nullable Host was, Host is, List<Event.Builder> seen) {
    String host = is.id().value();
    if (was == null) {
      seen.add(event(Kind.HOST_JOINED, host, "host %s joined, at %s".formatted(host, is.record().getAddress())));
    } else if (!was.incarnation().equals(is.incarnation())) {
      seen.add(event(Kind.HOST_RESTARTED, host,
          "host %s: its agent was started again (%s)".formatted(host, is.record().getVersion())));
    }
    boolean wasUp = was != null && was.isUp();
    if (is.isUp() != wasUp) {
      seen.add(is.isUp()
          ? event(Kind.HOST_UP, host, "host %s is UP".formatted(host))
          : event(Kind.HOST_DOWN, host, "host %s is DOWN: no heartbeat".formatted(host)));
    }
    if (is.isConfirmedDead() && is.record().getDeadBecause().isEmpty() && (was == null || !was.isConfirmedDead())) {
      seen.add(event(Kind.HOST_CONFIRMED_DEAD, host, is.deathEvidence()));
    }
    if (!is.doubts().isEmpty() && (was == null || was.doubts().isEmpty())) {
      seen.add(event(Kind.HOST_IN_DOUBT, host, "host %s keeps a copy paused, since it does not know whose it is: %s"
          .formatted(host, is.doubts().getFirst())));
    }
  }

  private static Event.Builder event(Kind kind, String host, String text) {
    return Event.newBuilder().setKind(kind).setHost(host).setText(text);
  }
}
