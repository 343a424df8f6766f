package dev.pageferry.architecture;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * A list of what each package may depend on, and which of its entries were needed.
 *
 * <pre>
 * PACKAGE: ENTRY ENTRY ...     what a package may depend on
 *  ENTRY ...                   continues the line before
 * PREFIX*: ENTRY ENTRY ...     the same for all packages whose names begin with PREFIX
 * </pre>
 *
 * An entry is a package of Pageferry, of which messages ({@code proto}) and libraries stand for all packages below them.
 */
final class PermittedDependencies {
  /** A corner of the JDK that has to be named, while all the rest need not be. */
  private static final String FOREIGN_MEMORY = "java.lang.foreign";
  private static final Set<String> PROGRAMS = Set.of("agent", "coordinator", "ferry", "common");

  private final Map<String, Set<String>> byPackage = new TreeMap<>();
  private final Map<String, Set<String>> byPrefix = new TreeMap<>();
  private final Set<String> needed = new HashSet<>();

  private PermittedDependencies() {
  }

  static PermittedDependencies read(String resource) throws IOException {
    PermittedDependencies list = new PermittedDependencies();
    try (var in = Objects.requireNonNull(PermittedDependencies.class.getResourceAsStream(resource), resource)) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8).replaceAll("(?m)^#.*\\R", "");
      text.replaceAll("\\R +", " ").lines().filter(line -> !line.isBlank()).forEach(list::add);
    }
    return list;
  }

  private void add(String line) {
    int colon = line.indexOf(':');
    String name = line.substring(0, colon);
    Set<String> entries = new TreeSet<>(List.of(line.substring(colon + 1).strip().split(" +")));
    entries.remove("");
    Set<String> before = name.endsWith("*")
        ? byPrefix.put(name.substring(0, name.length() - 1), entries)
        : byPackage.put(name, entries);
    if (before != null) {
      throw new IllegalStateException("two lines for " + name);
    }
  }

  Set<String> packages() {
    return byPackage.keySet();
  }

  /** Whether one package may depend on another; both without the root's name. */
  boolean permit(String from, String to) {
    for (String entry : byPackage.getOrDefault(from, Set.of())) {
      if (covers(entry, to)) {
        needed.add(from + ": " + entry);
        return true;
      }
    }
    return byPrefix.entrySet().stream().filter(each -> from.startsWith(each.getKey()))
        .anyMatch(each -> each.getValue().stream().anyMatch(entry -> covers(entry, to)));
  }

  private static boolean covers(String entry, String to) {
    if (entry.equals(to)) {
      return true;
    }
    boolean ofAProgram = PROGRAMS.contains(entry.split("\\.")[0]);
    return !ofAProgram && to.startsWith(entry + ".")
        && (!to.startsWith(FOREIGN_MEMORY) || entry.equals(FOREIGN_MEMORY));
  }

  /** Entries of packages' own lines that nothing has needed so far. */
  Set<String> unused() {
    Set<String> unused = new TreeSet<>();
    byPackage.forEach((name, entries) -> entries.forEach(each -> unused.add(name + ": " + each)));
    unused.removeAll(needed);
    return unused;
  }
}
