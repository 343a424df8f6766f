package dev.pageferry.coordinator.rpc;

import com.google.protobuf.ByteString;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.backup.BackupWriter;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.proto.cluster.v1.BackUpPart;
import dev.pageferry.proto.cluster.v1.BackUpRequest;
import dev.pageferry.proto.cluster.v1.BackupGrpc;
import io.grpc.stub.StreamObserver;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;

/** The records as the bytes of a file, for operators. */
public final class BackupService extends BackupGrpc.BackupImplBase {
  private static final int PART_BYTES = 256 << 10;

  private final RecordStore store;
  private final String version;
  private final Scheduler scheduler;

  /** @param version of this program */
  public BackupService(RecordStore store, String version, Scheduler scheduler) {
    this.store = store;
    this.version = version;
    this.scheduler = scheduler;
  }

  @Override
  public void backUp(BackUpRequest request, StreamObserver<BackUpPart> observer) {
    try {
      OutputStream out = new BufferedOutputStream(new Parts(observer), PART_BYTES);
      BackupWriter.write(store.snapshot(), version, scheduler.wallMillis(), out);
      observer.onCompleted();
    } catch (IOException | RuntimeException e) {
      observer.onError(CoordinatorReplies.status(e).asRuntimeException());
    }
  }

  private static final class Parts extends OutputStream {
    private final StreamObserver<BackUpPart> observer;

    Parts(StreamObserver<BackUpPart> observer) {
      this.observer = observer;
    }

    @Override
    public void write(int b) {
      write(new byte[]{(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      observer.onNext(BackUpPart.newBuilder().setData(ByteString.copyFrom(bytes, offset, length)).build());
    }
  }
}
