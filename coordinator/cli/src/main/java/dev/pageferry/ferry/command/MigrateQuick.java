package dev.pageferry.ferry.command;

import dev.pageferry.ferry.session.Session;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.MigrateQuickRequest;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code ferry migrate quick}. */
@Command(name = "quick", sortOptions = false,
    description = "Moves a VM through a file on shared storage; it is paused all the while.",
    footer = {"", "Ctrl-C detaches: the migration goes on."})
public final class MigrateQuick implements Callable<Integer> {
  private final Session.Opener ferry;

  @Mixin
  private final MigrateOptions common = new MigrateOptions();

  @Option(names = "--compress", paramLabel = "none|lz4|zstd|auto", converter = Converters.StateCodec.class,
      completionCandidates = Candidates.Codecs.class, order = 2,
      description = "How its pages are packed; auto leaves alone what hardly shrinks (default auto).")
  private Codec.Name codec = Codec.Name.CODEC_UNSPECIFIED;

  public MigrateQuick(Session.Opener ferry) {
    this.ferry = ferry;
  }

  @Override
  public Integer call() {
    common.check();
    MigrateQuickRequest.Builder request = MigrateQuickRequest.newBuilder().setName(common.name()).setTo(common.to())
        .setCodec(codec);
    common.timeoutMillis().ifPresent(request::setTimeoutMillis);
    return common.run(ferry, (stub, id) -> stub.migrateQuick(request.setRequestId(id).build()));
  }
}
