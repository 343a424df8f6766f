package dev.pageferry.agent.os;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A process of this machine, not only of this one's children; told from later ones with its number by when it began. Source:
 * {@code proc_pid_stat(5)}.
 *
 * @param startTicks since boot
 */
public record OsProcess(long pid, long startTicks) {
  /** Behind the name, which is in parentheses: its state, and when it began. */
  private static final int STATE = 0;
  private static final int START_TICKS = 19;

  private record Stat(char state, long startTicks) {
    /** Whether it has memory, files or a thread. */
    boolean isAlive() {
      return state != 'Z' && state != 'X';
    }
  }

  /** Empty where there is none of that number, or only what is left of it for its parent. */
  public static Optional<OsProcess> of(long pid) {
    return stat(pid).filter(Stat::isAlive).map(each -> new OsProcess(pid, each.startTicks()));
  }

  private static Optional<Stat> stat(long pid) {
    try {
      String line = Files.readString(Path.of("/proc", String.valueOf(pid), "stat"), StandardCharsets.ISO_8859_1);
      String[] fields = line.substring(line.lastIndexOf(')') + 1).strip().split(" ", -1);
      return Optional.of(new Stat(fields[STATE].charAt(0), Long.parseLong(fields[START_TICKS])));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** Whether it is still running or stopped; a zombie is not alive. */
  public boolean isAlive() {
    return stat(pid).filter(each -> each.isAlive() && each.startTicks() == startTicks).isPresent();
  }

  /** The program and its arguments, each with a zero byte behind it; empty if it has ended. */
  public String commandLine() {
    try {
      return Files.readString(Path.of("/proc", String.valueOf(pid), "cmdline"), StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return "";
    }
  }

  /** Sends SIGKILL, if it has not ended. */
  public void kill() {
    if (isAlive()) {
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
  }
}
