package dev.pageferry.agent.guest.builtin;

import dev.pageferry.agent.guest.Replayable.Progress;
import dev.pageferry.agent.guest.Replayable.Result;
import dev.pageferry.agent.memory.AtomicPageBitmap;
import dev.pageferry.agent.memory.HostMemory;
import dev.pageferry.agent.memory.OutOfMemoryException;
import dev.pageferry.agent.memory.PageStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.LongStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Proves that a VM's memory is what its program wrote: builds a twin from the create request alone, replays it to the
 * same steps, and compares a 64-bit hash of every page, and all registers.
 */
final class TwinVerifier {
  private static final Logger log = LoggerFactory.getLogger(TwinVerifier.class);
  private static final int STEPS_PER_CHECK = 1 << 18;
  private static final long PROGRESS_MILLIS = 200;

  private final HostMemory memory;

  /** @param damage what the checker of the pages behind those has found */
  private record Capture(MachineState state, long[] pageHashes, Optional<String> damage) {
  }

  TwinVerifier(HostMemory memory) {
    this.memory = memory;
  }

  /**
   * Verifies a VM, which is paused only while its registers and page hashes are taken. Interrupting the caller ends it.
   *
   * @throws OutOfMemoryException if the host has no memory for the twin
   * @throws IOException if the image that filled RAM is not on this host, or is another one now
   */
  public Result verify(VirtualMachine vm, Progress progress)
      throws OutOfMemoryException, IOException, InterruptedException {
    VmSpec spec = vm.spec();
    MemoryFill.checkImage(spec);
    try (PageStore twin = memory.allocate(spec.memoryBytes())) {
      AtomicPageBitmap unused = new AtomicPageBitmap(twin.pageCount());
      Optional<String> sha256 = MemoryFill.fill(spec, twin, unused);
      if (!sha256.equals(spec.imageSha256())) {
        throw new IOException(
            "memory image %s is not the one that the VM was created from: SHA-256 %s, recorded %s".formatted(
                spec.image().orElseThrow(), sha256.orElse("none"), spec.imageSha256().orElse("none")));
      }
      Capture capture = capture(vm);
      MachineState replayed = replay(spec, twin, capture.state(), progress);
      return compare(spec, capture, twin, replayed);
    }
  }

  private static Capture capture(VirtualMachine vm) throws InterruptedException {
    return vm.takeWhilePaused(() -> new Capture(vm.machineState(), hashes(vm.spec(), vm.ram()),
        vm.network().flatMap(GuestNetwork::damage)));
  }

  private static long[] hashes(VmSpec spec, PageStore ram) {
    return LongStream.range(0, spec.serviceMemory().firstPage()).parallel().map(ram::hash).toArray();
  }

  private static MachineState replay(VmSpec spec, PageStore twin, MachineState target, Progress progress)
      throws InterruptedException {
    LongAdder done = new LongAdder();
    AtomicBoolean cancelled = new AtomicBoolean();
    ExecutorService workers = Executors.newFixedThreadPool(spec.vcpus(),
        Thread.ofPlatform().daemon().name("twin-", 0).factory());
    try {
      List<Future<Registers>> running = new ArrayList<>();
      for (int i = 0; i < spec.vcpus(); i++) {
        GuestProgram program = spec.programOf(i);
        Registers end = target.vcpus().get(i);
        running.add(workers.submit(() -> replay(program, twin, end, done, cancelled)));
      }
      List<Registers> registers = new ArrayList<>();
      for (Future<Registers> each : running) {
        registers.add(await(each, () -> progress.replayed(done.sum(), target.steps())));
      }
      return new MachineState(registers);
    } finally {
      cancelled.set(true);
      workers.close();
    }
  }

  private static Registers replay(GuestProgram program, PageStore twin, Registers end, LongAdder done,
      AtomicBoolean cancelled) throws IOException {
    Registers registers = program.registersOfTwin(end);
    ReplayedDisk disk = new ReplayedDisk();
    long[] dirtyWords = new long[Math.toIntExact(Math.ceilDiv(twin.pageCount(), 64L))];
    for (long left = end.get(Registers.PROGRAM_COUNTER); left > 0 && !cancelled.get();) {
      int chunk = (int) Math.min(left, STEPS_PER_CHECK);
      int ran = program.run(registers, twin, dirtyWords, chunk);
      if (ran < chunk) {
        ran += replayDiskStep(program, registers, twin, dirtyWords, disk);
      }
      done.add(ran);
      left -= ran;
    }
    return registers;
  }

  private static int replayDiskStep(GuestProgram program, Registers registers, PageStore twin, long[] dirtyWords,
      ReplayedDisk disk) throws IOException {
    // The epoch reaches only the disk, which is not compared.
    DiskRequest request = program.nextRequest(registers, twin, 0);
    if (request == null) {
      throw new IllegalStateException("a program stopped at step %d and asks for nothing".formatted(
          registers.get(Registers.PROGRAM_COUNTER)));
    }
    if (program.readsBack()) {
      request.carryOut(disk);
    }
    program.complete(registers, twin, dirtyWords, request);
    return 1;
  }

  private static Registers await(Future<Registers> replay, Runnable progress) throws InterruptedException {
    while (true) {
      try {
        return replay.get(PROGRESS_MILLIS, TimeUnit.MILLISECONDS);
      } catch (TimeoutException e) {
        progress.run();
      } catch (ExecutionException e) {
        throw new IllegalStateException("the twin could not be replayed", e.getCause());
      }
    }
  }

  private static Result compare(VmSpec spec, Capture capture, PageStore twin, MachineState replayed) {
    long networkPages = spec.serviceMemory().pages();
    long[] expected = hashes(spec, twin);
    for (int page = 0; page < expected.length; page++) {
      if (expected[page] != capture.pageHashes()[page]) {
        return new Result(capture.state().steps(), OptionalLong.of(page), networkPages);
      }
    }
    if (capture.damage().isPresent()) {
      log.warn("vm={} {}", spec.name(), capture.damage().get());
      return new Result(capture.state().steps(), OptionalLong.of(expected.length), networkPages);
    }
    boolean sameRegisters = replayed.equals(capture.state());
    return new Result(capture.state().steps(),
        sameRegisters ? OptionalLong.empty() : OptionalLong.of(spec.pageCount()), networkPages);
  }
}
