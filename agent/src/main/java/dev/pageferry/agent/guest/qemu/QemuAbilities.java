package dev.pageferry.agent.guest.qemu;

import dev.pageferry.agent.guest.ResolvedSpec;
import dev.pageferry.common.concurrent.Mutex;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.proto.agent.v1.QemuFacts;
import dev.pageferry.proto.agent.v1.QemuMachine;
import dev.pageferry.proto.agent.v1.VmSpec;
import java.io.IOException;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What machines of QEMU can be on this host. It is asked when it is needed first, and once in the life of an agent, but for types and
 * models that were not there: QEMU may have been upgraded since.
 */
final class QemuAbilities {
  private static final Logger log = LoggerFactory.getLogger(QemuAbilities.class);

  /** That every processor since 2003 can be. */
  private static final String PLAIN_MODEL = "qemu64";

  private final QemuProbe probe;
  private final QemuPaths paths;
  /** Held while QEMU is asked, as one answer is enough. */
  private final Mutex asking;
  /** Inside {@link #asking} only, as the one below. */
  private final Map<Accelerator, QemuProbe.Answer> answers = new EnumMap<>(Accelerator.class);
  /** Null: not tried yet; empty: none. */
  private @Nullable Optional<String> troubleWithKvm;

  QemuAbilities(QemuPaths paths, Scheduler scheduler) {
    this(new QemuProbe(paths.binary(), paths.ramDirectory()), paths, scheduler);
  }

  QemuAbilities(QemuProbe probe, QemuPaths paths, Scheduler scheduler) {
    this.probe = probe;
    this.paths = paths;
    this.asking = scheduler.newMutex();
  }

  /** As {@link dev.pageferry.agent.guest.GuestKind#resolve}. */
  ResolvedSpec resolve(VmSpec message) throws IOException, InterruptedException {
    QemuMachine asked = message.getQemu();
    boolean isAuto = asked.getAccel().equals(Accelerator.AUTO);
    Optional<String> trouble = isAuto ? troubleWithKvmFor(asked.getCpu()) : Optional.empty();
    Accelerator accelerator = isAuto
        ? trouble.isPresent() ? Accelerator.TCG : Accelerator.KVM
        : Accelerator.of(asked.getAccel());
    QemuMachine.Builder chosen = asked.toBuilder().setAccel(accelerator.toMessage())
        .setMachine(versioned(accelerator, asked.getMachine()));
    if (asked.hasUefi()) {
      UefiFirmware firmware = paths.firmwareFor(chosen.getMachine()).sizes();
      chosen.getUefiBuilder().setCodeBytes(firmware.codeBytes()).setVariablesBytes(firmware.variablesBytes());
    }
    VmSpec resolved = message.toBuilder().setQemu(chosen).build();
    check(QemuSpec.of(resolved));
    return new ResolvedSpec(resolved, trouble.orElse(""));
  }

  /** What machines can be here, and by which accelerator where that is left to the host. */
  QemuFacts facts() throws IOException, InterruptedException {
    Accelerator accelerator = troubleWithKvmFor(PLAIN_MODEL).isPresent() ? Accelerator.TCG : Accelerator.KVM;
    // Asked anew: it may have been upgraded since.
    QemuProbe.Answer known = answer(accelerator, _ -> false);
    QemuFacts.Builder facts = QemuFacts.newBuilder().setVersion(known.version().toString())
        .setAccel(accelerator.option());
    known.types().stream().filter(QemuSpec::isVersioned).sorted().forEach(facts::addMachineTypes);
    known.cpus().entrySet().stream().filter(each -> each.getValue().isEmpty()).map(Map.Entry::getKey).sorted()
        .forEach(facts::addCpuModels);
    return facts.build();
  }

  private String versioned(Accelerator accelerator, String type) throws IOException, InterruptedException {
    if (QemuSpec.isVersioned(type)) {
      return type;
    }
    requireUsable(accelerator);
    return answer(accelerator, known -> known.aliases().containsKey(type)).aliases().getOrDefault(type, type);
  }

  /** @throws IOException if such a machine cannot be started here, with the reason and what can */
  void check(QemuSpec spec) throws IOException, InterruptedException {
    requireUsable(spec.accelerator());
    QemuProbe.Answer known = answer(spec.accelerator(),
        it -> it.types().contains(spec.machine()) && it.cpus().containsKey(spec.cpu()));
    if (!known.version().isAtLeast(QemuVersion.OLDEST)) {
      throw new IOException("QEMU here is %s, which cannot move a running machine safely; %s is needed".formatted(
          known.version(), QemuVersion.OLDEST));
    }
    if (!known.types().contains(spec.machine())) {
      throw new IOException("QEMU %s here has no machine type '%s'; the newest that it has are %s".formatted(
          known.version(), spec.machine(), String.join(" and ", new TreeSet<>(known.aliases().values()))));
    }
    List<String> missing = known.cpus().get(spec.cpu());
    if (missing == null) {
      throw new IOException("QEMU %s here has no CPU model '%s'; qemu64 is one".formatted(known.version(), spec.cpu()));
    }
    if (!missing.isEmpty()) {
      throw new IOException("CPU model '%s' needs %s, which %s does not have here".formatted(spec.cpu(),
          String.join(", ", missing), spec.accelerator().option()));
    }
  }

  private void requireUsable(Accelerator accelerator) throws IOException, InterruptedException {
    if (accelerator == Accelerator.KVM) {
      Optional<String> trouble = troubleWithKvm();
      if (trouble.isPresent()) {
        throw new IOException("this host has no KVM for guests: " + trouble.get());
      }
    }
  }

  /** Why a guest with that CPU model is not to have KVM: it may run guests, and lack what every processor has (one that is emulated, poorly). */
  private Optional<String> troubleWithKvmFor(String cpu) throws IOException, InterruptedException {
    Optional<String> trouble = troubleWithKvm();
    if (trouble.isPresent()) {
      return trouble;
    }
    List<String> missing = answer(Accelerator.KVM, known -> known.cpus().containsKey(cpu)).cpus().getOrDefault(cpu,
        List.of());
    return missing.isEmpty()
        ? Optional.empty()
        : Optional
            .of("CPU model '%s' needs %s, which kvm does not have here".formatted(cpu, String.join(", ", missing)));
  }

  private Optional<String> troubleWithKvm() throws InterruptedException {
    return asking.<Optional<String>, RuntimeException>alone(() -> {
      Optional<String> known = troubleWithKvm;
      if (known == null) {
        known = probe.troubleWithKvm();
        troubleWithKvm = known;
        if (known.isPresent()) {
          log.warn("KVM runs no guests here, so '--accel auto' is tcg: {}; the next start of this agent tries again",
              known.get());
        } else {
          log.info("KVM runs guests here");
        }
      }
      return known;
    });
  }

  /** What was looked for in an answer. */
  private interface Looked {
    boolean isIn(QemuProbe.Answer answer);
  }

  private QemuProbe.Answer answer(Accelerator accelerator, Looked looked) throws IOException, InterruptedException {
    return asking.<QemuProbe.Answer, IOException>alone(() -> {
      QemuProbe.Answer known = answers.get(accelerator);
      if (known == null || !looked.isIn(known)) {
        known = probe.ask(accelerator);
        answers.put(accelerator, known);
      }
      return known;
    });
  }
}
