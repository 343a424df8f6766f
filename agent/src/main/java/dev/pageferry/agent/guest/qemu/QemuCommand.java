package dev.pageferry.agent.guest.qemu;

import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/** How QEMU is called for a machine. Source: {@code qemu-system-x86_64(1)} of QEMU 10.0. */
final class QemuCommand {
  /** The block that is RAM, in QEMU's streams, too. */
  static final String RAM_BLOCK = "pc.ram";

  private QemuCommand() {
  }

  /**
   * The arguments.
   *
   * @param isIncoming whether it waits for a state
   */
  static List<String> of(QemuSpec spec, MachineFiles files, boolean isIncoming) {
    List<String> argv = new ArrayList<>(List.of("-nodefaults", "-no-user-config", "-display", "none",
        // Threads have names, so that what a guest uses can be told from what QEMU does.
        "-name", spec.name() + ",process=qemu-" + spec.name() + ",debug-threads=on",
        "-uuid", uuid(spec.id().value()),
        "-sandbox", "on,spawn=deny",
        "-accel", spec.accelerator().option(),
        "-machine", spec.machine() + ",memory-backend=" + RAM_BLOCK,
        "-cpu", spec.cpu() + ",enforce",
        "-smp", String.valueOf(spec.vcpus()),
        "-m", spec.memoryBytes() + "B",
        "-object", "memory-backend-file,id=%s,size=%d,mem-path=%s,share=on".formatted(RAM_BLOCK, spec.memoryBytes(),
            escaped(files.ram())),
        "-chardev", "socket,id=console,server=on,wait=off,path=" + escaped(files.console()),
        "-serial", "chardev:console",
        "-qmp", "unix:" + escaped(files.monitor()) + ",server=on,wait=off",
        "-device", "pvpanic",
        // Whatever ends a guest leaves its machine, so that what became of it can be asked.
        "-action", "shutdown=pause,panic=pause",
        "-S"));
    spec.boots().ifPresent(boot -> {
      argv.addAll(List.of("-kernel", boot.kernel().toString(), "-append", boot.append()));
      boot.initrd().ifPresent(each -> argv.addAll(List.of("-initrd", each.toString())));
    });
    argv.addAll(QemuDevices.of(spec, files));
    spec.arguments().forEach(each -> argv.addAll(each.argv()));
    if (isIncoming) {
      argv.addAll(List.of("-incoming", "defer"));
    }
    return argv;
  }

  /** Arguments of a machine with UEFI. Options of -machine may come in several parts. */
  static List<String> flash(Path code, Path variables) {
    return List.of("-blockdev", flash("firmware", code, true).toString(), "-blockdev",
        flash("variables", variables, false).toString(), "-machine", "pflash0=firmware,pflash1=variables");
  }

  private static JsonObject flash(String name, Path file, boolean isReadOnly) {
    JsonObject node = new JsonObject();
    node.addProperty("driver", "file");
    node.addProperty("node-name", name);
    node.addProperty("filename", file.toString());
    node.addProperty("read-only", isReadOnly);
    return node;
  }

  /** A comma ends a value, and two are one in it. */
  static String escaped(Path path) {
    return path.toString().replace(",", ",,");
  }

  private static String uuid(String id) {
    return UUID.nameUUIDFromBytes(id.getBytes(StandardCharsets.UTF_8)).toString();
  }
}
