package dev.pageferry.simulation;

import dev.pageferry.coordinator.ownership.RowsFrozenException;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.simulation.SimulatedCoordinator.Services;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Who asks the coordinator for what operators ask for. */
final class SimulatedOperator {
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Baton baton;
  private final SimulatedCoordinator coordinator;

  /** A question to the coordinator's services. */
  interface Question<T> {
    T ask(Services services) throws RequestException;
  }

  SimulatedOperator(Baton baton, SimulatedCoordinator coordinator) {
    this.baton = baton;
    this.coordinator = coordinator;
  }

  /** Asks in a task of the coordinator's; empty if it refuses, dies meanwhile, or does not answer for long. */
  <T> Optional<T> ask(Question<T> question) throws InterruptedException {
    Services services = coordinator.get();
    if (services == null) {
      return Optional.empty();
    }
    List<T> answers = new ArrayList<>();
    boolean unused = coordinator.process().start("operator's question", () -> {
      try {
        answers.add(question.ask(services));
      } catch (RequestException | RowsFrozenException e) {
        baton.trace("operator", "is refused: " + e.getMessage());
      }
    }).join(PATIENCE);
    return answers.stream().findFirst();
  }
}
