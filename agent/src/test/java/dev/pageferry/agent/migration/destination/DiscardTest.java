package dev.pageferry.agent.migration.destination;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.pageferry.agent.guest.IncomingGuest;
import dev.pageferry.agent.migration.MigrationLog;
import dev.pageferry.agent.migration.destination.Reception.Discarded;
import dev.pageferry.agent.migration.destination.Reception.Receiving;
import dev.pageferry.agent.ownership.Rulings;
import dev.pageferry.proto.migration.v1.Ready;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What writes to a guest's disks has ended before they are closed and deleted. */
class DiscardTest {
  private final List<String> ended = new ArrayList<>();
  private final Receiving receiving = new Receiving(MigrationLog.SILENT);
  private boolean fails;

  private final class Writers implements Contents {
    @Override
    public Ready await() {
      return Ready.getDefaultInstance();
    }

    @Override
    public void reopen() {
      // More comes.
    }

    @Override
    public void end() {
      ended.add("writers");
      if (fails) {
        throw new IllegalStateException("by the test");
      }
    }

    @Override
    public void giveMemoryBack() {
      // Nothing was kept.
    }
  }

  @BeforeEach
  void begin() {
    receiving.built((IncomingGuest) Proxy.newProxyInstance(getClass().getClassLoader(),
        new Class<?>[]{IncomingGuest.class}, (proxy, method, arguments) -> {
          ended.add("guest " + method.getName());
          return null;
        }));
    receiving.begins(new Writers());
  }

  @Test
  void writersEndBeforeWhatIsStillReceivedIsDiscarded() {
    Discarded unused = receiving.discard("by the test");
    assertThat(ended).containsExactly("writers", "guest close");
  }

  @Test
  void writersEndBeforeWhatWasInDoubtIsDiscarded() {
    Discarded unused = receiving.inDoubt().discard(Rulings.notOurs());
    assertThat(ended).containsExactly("writers", "guest close");
  }

  @Test
  void writersEndWithADoubtThatIsLeftUndecided() {
    receiving.inDoubt().leave();
    assertThat(ended).containsExactly("writers");
  }

  @Test
  void writersThatDoNotEndWellKeepNothingElseFromBeingDiscarded() {
    fails = true;
    assertThatThrownBy(() -> receiving.discard("by the test")).hasMessage("by the test");
    assertThat(ended).containsExactly("writers", "guest close");
  }
}
