package dev.pageferry.agent.guest.builtin;

import java.util.List;
import java.util.stream.Collectors;

/** The guest programs on offer. */
final class Programs {
  /** In the order in which operators are told of them. */
  static final List<ProgramKind> ALL = List.of(new IdleProgram.Kind(), new UniformProgram.Kind(),
      new HotSetProgram.Kind(), new ZipfProgram.Kind(), new SequentialProgram.Kind(), new JournalProgram.Kind(),
      new DiskMixProgram.Kind());

  private Programs() {
  }

  /** @throws IllegalArgumentException naming those that there are, if there is none of that name */
  static ProgramKind named(String name) {
    return ALL.stream().filter(each -> each.name().equals(name)).findFirst()
        .orElseThrow(() -> new IllegalArgumentException("unknown program '%s'; there are %s".formatted(name,
            ALL.stream().map(ProgramKind::name).collect(Collectors.joining(", ")))));
  }
}
