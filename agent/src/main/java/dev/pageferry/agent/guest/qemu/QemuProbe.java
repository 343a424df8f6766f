package dev.pageferry.agent.guest.qemu;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Runs a QEMU for a moment, to learn what it can do. It ends by itself, or is killed, even where this process ends before. */
final class QemuProbe {
  private static final Duration ANSWERS = Duration.ofSeconds(10);
  /** A processor that can virtualize needs a tenth of a second; one that pretends to takes ten seconds, or for ever. */
  private static final Duration RUNS = Duration.ofSeconds(3);
  /** Of {@code timeout(1)} that had to kill, as Java has it. */
  private static final int KILLED = 128 + 9;
  private static final int TAIL = 300;

  /**
   * The first sector of a disk: it tells a device that ends QEMU. Everything that firmware does before is run, too.
   *
   * <pre>
   *     mov al, 42
   *     out 0xf4, al
   * 1:  hlt
   *     jmp 1b
   * </pre>
   */
  private static final byte[] CODE = HexFormat.of().parseHex("b02ae6f4f4ebfd");
  /** What {@code isa-debug-exit} makes of 42. */
  private static final int SAID = 42 * 2 + 1;
  private static final int SIGNATURE_OFFSET = 510;
  private static final int DISK_BYTES = 1 << 20;

  private final String binary;
  private final Path directory;
  private final Path kvm;

  /**
   * @param binary a path, or a name that is looked up in {@code PATH}
   * @param directory for a file of 1 MiB
   */
  QemuProbe(String binary, Path directory) {
    this(binary, directory, Path.of("/dev/kvm"));
  }

  /** @param kvm what stands for its device */
  QemuProbe(String binary, Path directory, Path kvm) {
    this.kvm = kvm;
    this.binary = binary;
    this.directory = directory;
  }

  /**
   * What a QEMU can do under an accelerator.
   *
   * @param types of machines, with a version or without
   * @param aliases of some of these
   * @param cpus models, each with the features that it needs and the accelerator does not have here
   */
  record Answer(QemuVersion version, Set<String> types, Map<String, String> aliases, Map<String, List<String>> cpus) {
  }

  private record Ended(int exitCode, String output) {
    String tail() {
      String said = output.lines().filter(line -> !line.startsWith("{")).collect(Collectors.joining(" ")).strip();
      return said.isEmpty() ? "exit code " + exitCode : said.substring(Math.max(0, said.length() - TAIL));
    }
  }

  /** @throws IOException with what it says, if it does not answer */
  Answer ask(Accelerator accelerator) throws IOException, InterruptedException {
    String commands = List.of("qmp_capabilities", "query-machines", "query-cpu-definitions", "quit").stream()
        .map("{\"execute\":\"%s\"}\n"::formatted).collect(Collectors.joining());
    Ended ended = run(ANSWERS, commands, "-machine", "none", "-qmp", "stdio", "-accel", accelerator.option());
    try {
      List<JsonObject> said = ended.output().lines().filter(line -> line.startsWith("{"))
          .map(line -> JsonParser.parseString(line).getAsJsonObject()).toList();
      List<JsonArray> lists = said.stream().filter(each -> each.has("return") && each.get("return").isJsonArray())
          .map(each -> each.getAsJsonArray("return")).toList();
      if (lists.size() != 2) {
        throw new IOException("%s does not tell what it can do: %s".formatted(binary, ended.tail()));
      }
      return answer(QemuVersion.of(said.getFirst()), lists.getFirst(), lists.getLast());
    } catch (JsonParseException | IllegalStateException | NullPointerException e) {
      throw new IOException("%s tells what it can do in a way that is not known here: %s".formatted(binary, e), e);
    }
  }

  private static Answer answer(QemuVersion version, JsonArray machines, JsonArray models) {
    Set<String> types = new HashSet<>();
    Map<String, String> aliases = new HashMap<>();
    for (JsonElement each : machines) {
      JsonObject machine = each.getAsJsonObject();
      String name = machine.get("name").getAsString();
      types.add(name);
      if (machine.has("alias")) {
        aliases.put(machine.get("alias").getAsString(), name);
      }
    }
    Map<String, List<String>> cpus = new HashMap<>();
    for (JsonElement each : models) {
      JsonObject model = each.getAsJsonObject();
      List<String> missing = new ArrayList<>();
      if (model.has("unavailable-features")) {
        model.getAsJsonArray("unavailable-features").forEach(feature -> missing.add(feature.getAsString()));
      }
      cpus.put(model.get("name").getAsString(), missing);
    }
    return new Answer(version, types, aliases, cpus);
  }

  /** Why KVM does not run guests here; empty: it has just run one. That {@code /dev/kvm} can be opened proves nothing. */
  Optional<String> troubleWithKvm() throws InterruptedException {
    if (!Files.exists(kvm)) {
      return Optional.of("there is no %s".formatted(kvm));
    }
    if (!Files.isReadable(kvm) || !Files.isWritable(kvm)) {
      return Optional.of("its agent's user may not open %s".formatted(kvm));
    }
    try {
      Path disk = Files.createTempFile(directory, "kvm-probe-", ".raw");
      try {
        Files.write(disk, ByteBuffer.allocate(DISK_BYTES).put(CODE).put(SIGNATURE_OFFSET, new byte[]{0x55, (byte) 0xaa})
            .array());
        Ended ended = run(RUNS, "", "-machine", "pc", "-accel", "kvm", "-m", "16", "-drive",
            "if=ide,format=raw,file=" + QemuCommand.escaped(disk), "-device", "isa-debug-exit,iobase=0xf4,iosize=1");
        return switch (ended.exitCode()) {
          case SAID -> Optional.empty();
          case KILLED -> Optional.of("%s is there, and a guest did not boot under it within %d s".formatted(kvm,
              RUNS.toSeconds()));
          default -> Optional.of("%s is there, and a guest did not boot under it: %s".formatted(kvm, ended.tail()));
        };
      } finally {
        Files.deleteIfExists(disk);
      }
    } catch (IOException e) {
      return Optional.of("it could not be tried: %s".formatted(e.getMessage()));
    }
  }

  private Ended run(Duration atMost, String input, String... arguments) throws IOException, InterruptedException {
    List<String> argv = new ArrayList<>(List.of("timeout", "-s", "KILL", String.valueOf(atMost.toSeconds()), binary,
        "-nodefaults", "-no-user-config", "-display", "none", "-sandbox", "on,spawn=deny"));
    argv.addAll(List.of(arguments));
    Process process = new ProcessBuilder(argv).redirectErrorStream(true).start();
    try {
      say(process, input);
      String output = new String(process.getInputStream().readAllBytes(), UTF_8);
      return new Ended(process.waitFor(), output);
    } finally {
      // Not forcibly: this is the one that ends QEMU.
      process.destroy();
    }
  }

  private static void say(Process process, String input) {
    try (OutputStream commands = process.getOutputStream()) {
      commands.write(input.getBytes(UTF_8));
    } catch (IOException e) {
      // It has ended already; what it said tells why.
    }
  }
}
