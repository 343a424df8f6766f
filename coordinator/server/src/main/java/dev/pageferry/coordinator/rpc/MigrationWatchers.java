package dev.pageferry.coordinator.rpc;

import dev.pageferry.coordinator.migration.MigrationSupervisor;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.proto.cluster.v1.Migration;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Those who follow a migration. */
final class MigrationWatchers {
  private MigrationWatchers() {
  }

  /** Sends the migration's state now and at changes, until the last one or the caller is gone. */
  static void watch(MigrationSupervisor migrations, String id, ServerCallStreamObserver<Migration> call) {
    AtomicReference<MigrationSupervisor.@Nullable Watch> watch = new AtomicReference<>();
    // Set with the last message: a migration that is settled for now may change again.
    AtomicBoolean ended = new AtomicBoolean();
    // Set before the call's method returns, as gRPC demands; it runs after that.
    call.setOnCancelHandler(() -> end(watch));
    try {
      watch.set(migrations.watch(id, migration -> {
        // A watcher that is slow to read is spared what a later message will say anyway.
        boolean last = MigrationSupervisor.isSettledForNow(migration);
        boolean worthSending = call.isReady() || last;
        if (!call.isCancelled() && worthSending && ended.compareAndSet(false, last)) {
          call.onNext(migration);
          if (last) {
            call.onCompleted();
            end(watch);
          }
        }
      }));
      if (ended.get()) {
        // It ended before there was anything to end.
        end(watch);
      }
    } catch (RequestException | RuntimeException e) {
      call.onError(CoordinatorReplies.status(e).asRuntimeException());
    }
  }

  private static void end(AtomicReference<MigrationSupervisor.@Nullable Watch> watch) {
    MigrationSupervisor.Watch watching = watch.get();
    if (watching != null) {
      watching.end();
    }
  }
}
