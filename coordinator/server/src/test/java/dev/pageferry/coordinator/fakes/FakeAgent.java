package dev.pageferry.coordinator.fakes;

import dev.pageferry.coordinator.agents.AgentException;
import dev.pageferry.coordinator.agents.AgentException.Kind;
import dev.pageferry.proto.agent.v1.GetIncomingResponse;
import dev.pageferry.proto.agent.v1.OutgoingStatus;
import dev.pageferry.proto.agent.v1.VmStatus;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Consumer;

/** One host as a test plays it: what it says, what it refuses, and what it was asked. */
public final class FakeAgent {
  /** What a source does next on its stream of changes. */
  private sealed interface Word {
    record Says(OutgoingStatus status) implements Word {
    }

    record Breaks(Kind kind, String message) implements Word {
    }

    record Ends() implements Word {
    }
  }

  private final Map<String, VmStatus> vms = new ConcurrentHashMap<>();
  private final Map<String, AgentException> refusals = new ConcurrentHashMap<>();
  private final Map<String, Runnable> hooks = new ConcurrentHashMap<>();
  private final List<String> calls = new CopyOnWriteArrayList<>();
  private final List<Object> messages = new CopyOnWriteArrayList<>();
  private final Set<String> outgoing = ConcurrentHashMap.newKeySet();
  private final BlockingQueue<Word> words = new LinkedBlockingQueue<>();
  private volatile GetIncomingResponse.State incoming = GetIncomingResponse.State.UNKNOWN;
  private volatile boolean silent;
  private volatile boolean cancels = true;
  private volatile long firstDifference = 3;

  FakeAgent() {
  }

  /** Notes a call; fails it where the test said so. */
  void called(String method, Object message) throws AgentException {
    calls.add(method);
    messages.add(message);
    Runnable hook = hooks.get(method);
    if (hook != null) {
      hook.run();
    }
    if (silent) {
      throw new AgentException(Kind.UNREACHABLE, "no answer", new IllegalStateException(method));
    }
    AgentException refusal = refusals.get(method);
    if (refusal != null) {
      throw refusal;
    }
  }

  void watched(String migrationId, Consumer<OutgoingStatus> updates) throws AgentException {
    if (!outgoing.contains(migrationId)) {
      throw new AgentException(Kind.NOT_FOUND, "migration is not known here", new IllegalStateException(migrationId));
    }
    while (true) {
      switch (next()) {
        case Word.Says says -> updates.accept(says.status());
        case Word.Breaks breaks ->
          throw new AgentException(breaks.kind(), breaks.message(), new IllegalStateException("broken"));
        case Word.Ends ends -> {
          return;
        }
      }
    }
  }

  private Word next() throws AgentException {
    try {
      return words.take();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AgentException(Kind.UNREACHABLE, "interrupted", e);
    }
  }

  Map<String, VmStatus> running() {
    return vms;
  }

  void starts(String migrationId) {
    outgoing.add(migrationId);
  }

  GetIncomingResponse.State incoming() {
    return incoming;
  }

  boolean cancels() {
    return cancels;
  }

  /** The source reports this on its stream; a final state ends the stream. */
  public void say(OutgoingStatus status) {
    words.add(new Word.Says(status));
    switch (status.getState()) {
      case COMPLETED, HANDED_OVER, ROLLED_BACK, CANCELLED -> words.add(new Word.Ends());
      case RUNNING, IN_DOUBT, STATE_UNSPECIFIED, UNRECOGNIZED -> {
      }
    }
  }

  /** The stream of changes ends with an error; the next one goes on where this one stopped. */
  public void breakStream(Kind kind, String message) {
    words.add(new Word.Breaks(kind, message));
  }

  /** The stream of changes ends without a final state. */
  public void endStream() {
    words.add(new Word.Ends());
  }

  /** Answers nothing any more. */
  public void goSilent() {
    silent = true;
    breakStream(Kind.UNREACHABLE, "connection reset");
  }

  public void answerAgain() {
    silent = false;
  }

  /** The agent knows nothing of migrations that it sent before. */
  public void forgetOutgoing() {
    outgoing.clear();
    breakStream(Kind.NOT_FOUND, "migration is not known here");
  }

  public void refuse(String method, Kind kind, String message) {
    refusals.put(method, new AgentException(kind, message, new IllegalStateException(method)));
  }

  public void accept(String method) {
    refusals.remove(method);
  }

  /** Runs when the method is called, before it is answered. */
  public void when(String method, Runnable hook) {
    hooks.put(method, hook);
  }

  public void incoming(GetIncomingResponse.State state) {
    incoming = state;
  }

  /** Where a twin differs from now on. */
  public void differsAt(long page) {
    firstDifference = page;
  }

  long firstDifference() {
    return firstDifference;
  }

  public void refuseCancel() {
    cancels = false;
  }

  /** Puts a VM there, or changes what is reported of it. */
  public void host(VmStatus status) {
    vms.put(status.getId(), status);
  }

  /** A VM is gone from there, as if it had never come. */
  public void lose(String vm) {
    vms.remove(vm);
  }

  public Collection<VmStatus> vms() {
    return vms.values();
  }

  public long count(String method) {
    return calls.stream().filter(method::equals).count();
  }

  public <T> List<T> requests(Class<T> type) {
    return messages.stream().filter(type::isInstance).map(type::cast).toList();
  }
}
