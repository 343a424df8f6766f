package dev.pageferry.architecture;

import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The dependency rules of docs/ARCHITECTURE.md: {@code may-depend.txt} names what each package may depend on, and there are no
 * circles. A package that is not in the list, or an entry that no code needs any more, is an error, too.
 */
class DependencyRulesTest {
  private static final String ROOT = "dev.pageferry.";
  private static final String LIST = "may-depend.txt";
  private static final List<String> PROGRAMS = List.of("agent", "coordinator", "ferry", "common");

  private static JavaClasses production;
  private static PermittedDependencies list;

  @BeforeAll
  static void read() throws IOException {
    production = new ClassFileImporter().withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
        .importPackages(PROGRAMS.stream().map(each -> ROOT + each).toList());
    list = PermittedDependencies.read(LIST);
  }

  private static String shortName(String packageName) {
    return packageName.startsWith(ROOT) ? packageName.substring(ROOT.length()) : packageName;
  }

  @Test
  void aPackageDependsOnlyOnWhatTheListPermits() {
    Set<String> forbidden = new TreeSet<>();
    for (JavaClass each : production) {
      for (Dependency dependency : each.getDirectDependenciesFromSelf()) {
        JavaClass target = dependency.getTargetClass().getBaseComponentType();
        String from = shortName(each.getPackageName());
        String to = shortName(target.getPackageName());
        if (!target.isPrimitive() && !from.equals(to) && !list.permit(from, to)) {
          forbidden.add("%s -> %s: %s uses %s".formatted(from, to, each.getSimpleName(), target.getSimpleName()));
        }
      }
    }
    assertThat(forbidden).isEmpty();
    assertThat(list.unused()).as("entries that no code needs").isEmpty();
  }

  @Test
  void theListNamesEveryPackageAndNoOther() {
    Set<String> packages = new TreeSet<>();
    production.forEach(each -> packages.add(shortName(each.getPackageName())));
    assertThat(list.packages()).isEqualTo(packages);
  }

  @Test
  void theListPermitsNothingThatItDoesNotName() throws IOException {
    PermittedDependencies permitted = PermittedDependencies.read(LIST);
    assertThat(permitted.permit("agent.migration.source", "agent.migration")).isTrue();
    assertThat(permitted.permit("agent.migration.source", "agent.migration.destination")).isFalse();
    assertThat(permitted.permit("agent.guest", "agent.guest.builtin")).isFalse();
    assertThat(permitted.permit("agent.memory", "java.lang.foreign")).isTrue();
    assertThat(permitted.permit("agent.memory", "java.util")).isTrue();
    assertThat(permitted.permit("agent.guest", "java.lang.foreign")).isFalse();
    assertThat(permitted.permit("ferry.view", "proto.cluster.v1")).isTrue();
    assertThat(permitted.permit("ferry.view", "proto.agent.v1")).isFalse();
    assertThat(permitted.permit("agent.network", "io.netty.channel.epoll")).isTrue();
    assertThat(permitted.permit("agent.wire", "io.netty.buffer")).isFalse();
  }

  @Test
  void noProgramHasCirclesOfPackages() {
    PROGRAMS.forEach(each -> slices().matching(ROOT + each + ".(**)").should().beFreeOfCycles().check(production));
  }

  @Test
  void noPackageIsForEverythingElse() {
    assertThat(list.packages()).noneMatch(each -> each.matches("(.*\\.)?(util|helper|misc)s?(\\..*)?"));
  }
}
