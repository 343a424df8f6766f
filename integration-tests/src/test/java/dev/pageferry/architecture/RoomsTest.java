package dev.pageferry.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Classes and methods stay small enough to be read at a sitting. */
class RoomsTest {
  private static final Path ROOT = Objects.requireNonNull(Path.of("").toAbsolutePath().getParent());
  private static final int MAIN_FILE_LINES = 400;
  private static final int TEST_FILE_LINES = 500;
  /** From the brace that opens the body to the one that closes it: a table in an annotation is data. */
  private static final int METHOD_LINES = 60;

  private static List<Path> sources() throws IOException {
    List<Path> sources = new ArrayList<>();
    for (String module : List.of("common", "agent", "coordinator/server", "coordinator/cli", "integration-tests")) {
      try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src"))) {
        files.filter(each -> each.toString().endsWith(".java")).forEach(sources::add);
      }
    }
    return sources;
  }

  @Test
  void filesAreShort() throws Exception {
    List<String> tooLong = new ArrayList<>();
    for (Path source : sources()) {
      long bound = source.toString().contains("/src/main/") ? MAIN_FILE_LINES : TEST_FILE_LINES;
      try (Stream<String> lines = Files.lines(source)) {
        long count = lines.count();
        if (count > bound) {
          tooLong.add("%s: %d lines, at most %d".formatted(ROOT.relativize(source), count, bound));
        }
      }
    }
    assertThat(tooLong).isEmpty();
  }

  @Test
  void methodsAreShort() throws Exception {
    JavaCompiler compiler = Objects.requireNonNull(ToolProvider.getSystemJavaCompiler());
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      JavacTask parser = (JavacTask) compiler.getTask(null, files, null, List.of("-proc:none"), null,
          files.getJavaFileObjectsFromPaths(sources()));
      Lengths lengths = new Lengths(Trees.instance(parser).getSourcePositions());
      lengths.scan(parser.parse(), null);
      assertThat(lengths.seen).isGreaterThan(1000);
      assertThat(lengths.tooLong).isEmpty();
    }
  }

  private static final class Lengths extends TreeScanner<@Nullable Void, @Nullable Void> {
    private final List<String> tooLong = new ArrayList<>();
    private final SourcePositions positions;
    private @Nullable CompilationUnitTree unit;
    private int seen;

    private Lengths(SourcePositions positions) {
      this.positions = positions;
    }

    @Override
    public @Nullable Void visitCompilationUnit(CompilationUnitTree each, @Nullable Void nothing) {
      unit = each;
      return super.visitCompilationUnit(each, nothing);
    }

    @Override
    public @Nullable Void visitMethod(MethodTree method, @Nullable Void nothing) {
      CompilationUnitTree within = Objects.requireNonNull(unit);
      if (method.getBody() != null) {
        seen++;
        long first = within.getLineMap().getLineNumber(positions.getStartPosition(within, method.getBody()));
        long last = within.getLineMap().getLineNumber(positions.getEndPosition(within, method.getBody()));
        if (last - first + 1 > METHOD_LINES) {
          tooLong.add("%s: %s has %d lines, at most %d".formatted(
              ROOT.relativize(Path.of(within.getSourceFile().toUri())), method.getName(), last - first + 1,
              METHOD_LINES));
        }
      }
      return super.visitMethod(method, nothing);
    }
  }
}
