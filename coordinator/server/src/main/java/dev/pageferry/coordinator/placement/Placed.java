package dev.pageferry.coordinator.placement;

import dev.pageferry.common.units.ByteSize;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Where a VM would go.
 *
 * @param choice empty: nowhere
 * @param verdicts on all hosts, in the order of their names
 */
public record Placed(PlacementVm vm, Optional<Choice> choice, List<Verdict> verdicts) {
  private static final int MAX_NAMED = 3;

  /** Why a host was chosen among those that can take the VM. */
  public enum Why {
    PREFERRED,
    ONLY,
    MOST_MEMORY,
    FIRST_BY_NAME
  }

  /** A host that was chosen, and why. */
  public record Choice(Verdict of, Why why) {
  }

  public Placed {
    verdicts = List.copyOf(verdicts);
  }

  /** Empty: nowhere. */
  public Optional<String> host() {
    return choice.map(each -> each.of().host());
  }

  /** Why there, or why nowhere. */
  public String reason() {
    return choice.map(this::chosen).orElseGet(this::nowhere);
  }

  private String chosen(Choice choice) {
    return switch (choice.why()) {
      case PREFERRED -> "it is number %d of its preferred hosts".formatted(vm.prefer().indexOf(choice.of().host()) + 1);
      case ONLY -> "no other host can take it";
      case MOST_MEMORY -> "it has the most memory left: %s".formatted(ByteSize.format(choice.of().freeBytes()));
      case FIRST_BY_NAME -> "it is the first by name of those that have the most memory left: %s"
          .formatted(ByteSize.format(choice.of().freeBytes()));
    };
  }

  private String nowhere() {
    if (verdicts.isEmpty()) {
      return "the cluster has no hosts";
    }
    String some = verdicts.stream().limit(MAX_NAMED).map(each -> "%s: %s".formatted(each.host(), each.reason()))
        .collect(Collectors.joining("; "));
    int more = verdicts.size() - MAX_NAMED;
    return "no host can take it: %s%s".formatted(some, more > 0 ? "; and %d more".formatted(more) : "");
  }
}
