package dev.pageferry.ferry.command;

import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import dev.pageferry.ferry.session.Change;
import dev.pageferry.ferry.session.ExitCode;
import dev.pageferry.ferry.session.Failure;
import dev.pageferry.ferry.session.Session;
import dev.pageferry.ferry.view.ProgressDisplay;
import dev.pageferry.ferry.view.StateProgress;
import dev.pageferry.ferry.view.VmText;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.SaveVmRequest;
import dev.pageferry.proto.cluster.v1.SaveVmUpdate;
import dev.pageferry.proto.cluster.v1.Vm;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code ferry vm save}. */
@Command(name = "save", description = "Saves a VM's memory to shared storage and takes it off its host.%n"
    + "'ferry vm start' continues it from there.")
public final class VmSave implements Callable<Integer> {
  private final Session.Opener ferry;

  @Parameters(paramLabel = "NAME", description = "Name of the VM.")
  private String name = "";

  @Option(names = "--compress", paramLabel = "none|lz4|zstd|auto", converter = Converters.StateCodec.class,
      completionCandidates = Candidates.Codecs.class,
      description = "How its pages are packed; auto leaves alone what hardly shrinks (default auto).")
  private Codec.Name codec = Codec.Name.CODEC_UNSPECIFIED;

  private @Nullable SaveVmUpdate last;

  @Mixin
  private final RequestOption requestOption = new RequestOption();

  public VmSave(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    SaveVmRequest request = SaveVmRequest.newBuilder().setName(name).setCodec(codec).build();
    return ferry.inSession(session -> {
      Change change = requestOption.change(session);
      StateProgress progress = new StateProgress("saving " + name, session.surroundings().ticker());
      try (ProgressDisplay display = session.progress(true)) {
        session.connection().changeStream(change, stub -> stub.saveVm(request), (SaveVmUpdate update) -> {
          display.show(progress.after(update.getDoneBytes(), update.getTotalBytes()));
          last = update;
        });
      }
      SaveVmUpdate end = last;
      if (end == null || !end.hasVm()) {
        throw new Failure(ExitCode.IN_DOUBT,
            "whether %s is saved is not known; the coordinator ended without a result; see 'ferry vm show', or repeat it with --request-id %s"
                .formatted(name, change.requestId()));
      }
      Vm vm = end.getVm();
      session.output().rows(change.stamped(vm), VmText.table(List.of(vm)));
      // None where its host was lost in the moment in which it was done.
      session.output().message(end.getFileBytes() == 0
          ? "%s saved; how large it is, its host could not say any more".formatted(name)
          : "%s saved in %s: %s".formatted(name, Durations.format(end.getSeconds()),
              ByteSize.format(end.getFileBytes())));
      return ExitCode.DONE;
    });
  }
}
