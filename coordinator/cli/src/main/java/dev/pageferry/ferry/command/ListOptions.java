package dev.pageferry.ferry.command;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.Table;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What all lists have in common: how many, and whether to go on showing them. */
final class ListOptions {
  private static final Duration INTERVAL = Duration.ofSeconds(1);

  @Option(names = "--limit", paramLabel = "N", converter = Converters.Count.class, order = 80,
      description = "The first N only (default: all).")
  private int limit;

  @Option(names = "--watch", order = 81,
      description = "Shows the list again whenever it changes, until Ctrl-C; JSON: one document a line.")
  private boolean watch;

  /** Shows a list once, or whenever it changes. */
  <M extends Message> int show(Session session, Function<Integer, M> question, Function<M, Table> table,
      Consumer<M> warnings) {
    M first = limited(question.apply(limit));
    if (!watch) {
      session.output().rows(first, table.apply(first));
      warnings.accept(first);
      return ExitCode.DONE;
    }
    return follow(session, first, () -> limited(question.apply(limit)), table);
  }

  private interface Question<M> {
    M ask();
  }

  private <M extends Message> int follow(Session session, M first, Question<M> question, Function<M, Table> table) {
    boolean redraws = session.output().isForPeople() && session.surroundings().outIsTerminal().getAsBoolean();
    @Nullable
    M shown = null;
    M next = first;
    while (true) {
      if (!next.equals(shown)) {
        if (redraws) {
          session.output().clear();
        }
        session.output().oneOfSeveral(next, table.apply(next));
        shown = next;
      }
      try {
        session.surroundings().pause().sleep(INTERVAL);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return ExitCode.INTERRUPTED;
      }
      next = question.ask();
    }
  }

  /** Cuts the list of the document. */
  @SuppressWarnings("unchecked") // A builder builds what it was made from.
  private <M extends Message> M limited(M document) {
    FieldDescriptor list = Pages.listOf(document);
    return limit > 0 && document.getRepeatedFieldCount(list) > limit
        ? (M) document.toBuilder().setField(list, ((List<?>) document.getField(list)).subList(0, limit)).build()
        : document;
  }
}
