package dev.pageferry.coordinator.machines;

import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.inventory.HostInventory.Host;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;

/** Asks agents on behalf of operators, who are told which host did not do what they wanted, and why. */
final class AgentQuestions {
  private AgentQuestions() {
  }

  /** A question to an agent. */
  interface Question<T> {
    T answer() throws AgentException;
  }

  static <T> T ask(Host host, Question<T> question) throws RequestException {
    try {
      return question.answer();
    } catch (AgentException e) {
      throw translated(host, e);
    }
  }

  /** Something that changes what the agent has: where its answer does not come, nobody knows whether it did it. */
  static <T> T change(Host host, Question<T> question) throws RequestException {
    try {
      return question.answer();
    } catch (AgentException e) {
      if (e.kind() == AgentException.Kind.UNREACHABLE) {
        throw new RequestException(Kind.IN_DOUBT, "host %s may have done it, and did not say so: %s", host.id(),
            e.getMessage());
      }
      throw translated(host, e);
    }
  }

  static RequestException translated(Host host, AgentException e) {
    Kind kind = switch (e.kind()) {
      case UNREACHABLE, REFUSED, OLDER, NOT_FOUND -> Kind.REFUSED;
      case INVALID -> Kind.INVALID;
      case EXISTS -> Kind.EXISTS;
      case FAILED -> Kind.FAILED;
    };
    return new RequestException(kind, "host %s: %s", host.id(), e.getMessage());
  }
}
