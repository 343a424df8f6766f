package dev.pageferry.coordinator.availability;

import com.google.protobuf.InvalidProtocolBufferException;
import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.coordinator.store.RecordStore;
import dev.pageferry.coordinator.store.RecordStore.Transaction;
import dev.pageferry.proto.records.v1.AvailabilitySettings;
import java.time.Instant;
import java.util.Optional;

/** Whether VMs are restarted by themselves. A cluster that was never told otherwise does that. */
public final class HaSettings {
  private static final String KEY = "availability/settings";

  private final RecordStore store;
  private final Scheduler scheduler;
  private volatile AvailabilitySettings settings;

  public HaSettings(RecordStore store, Scheduler scheduler) {
    this.store = store;
    this.scheduler = scheduler;
    this.settings = store.get(KEY).map(each -> parse(each.value())).orElse(AvailabilitySettings.getDefaultInstance());
  }

  public boolean isArmed() {
    return settings.getDisarmedAtMillis() == 0;
  }

  /** Since when it is disarmed; empty: it is armed. */
  public Optional<Instant> disarmedAt() {
    return Optional.of(settings.getDisarmedAtMillis()).filter(each -> each != 0).map(Instant::ofEpochMilli);
  }

  /** A second time changes nothing. */
  public synchronized void arm(boolean armed) {
    if (armed == isArmed()) {
      return;
    }
    AvailabilitySettings next = settings.toBuilder().setDisarmedAtMillis(armed ? 0 : scheduler.wallMillis()).build();
    boolean _ = store.commit(new Transaction().put(KEY, next.toByteArray()));
    settings = next;
  }

  private static AvailabilitySettings parse(byte[] value) {
    try {
      return AvailabilitySettings.parseFrom(value);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("record %s is damaged".formatted(KEY), e);
    }
  }
}
