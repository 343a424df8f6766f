package dev.pageferry.coordinator.fakes;

import dev.pageferry.coordinator.fencing.FenceAgent;
import dev.pageferry.coordinator.fencing.FenceException;
import dev.pageferry.proto.cluster.v1.FenceDevice;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** Fence agents that do what a test has them do; without a word of it they switch off, and say so. */
public final class PlayedFenceAgent implements FenceAgent {
  private final Map<String, Integer> codes = new ConcurrentHashMap<>();
  private final List<String> asked = new CopyOnWriteArrayList<>();
  private volatile Runnable atOff = () -> {
  };

  /** What an agent ends with from now on when it is asked for that. */
  public void answer(String agent, Action action, int exitCode) {
    codes.put(agent + " " + action, exitCode);
  }

  /** Happens when one is asked to switch off, before it answers. */
  public void atOff(Runnable event) {
    atOff = event;
  }

  /** In order: {@code fence_a off}. */
  public List<String> asked() {
    return asked;
  }

  @Override
  public Ended run(FenceDevice device, Action action) throws FenceException {
    String question = device.getAgent() + " " + action;
    asked.add(question);
    if (action == Action.OFF) {
      atOff.run();
    }
    int code = codes.getOrDefault(question, action == Action.OFF ? 0 : 2);
    if (code < 0) {
      throw new FenceException(device.getAgent() + " did not end");
    }
    return new Ended(code, "");
  }
}
