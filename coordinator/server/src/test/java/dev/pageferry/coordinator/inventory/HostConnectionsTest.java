package dev.pageferry.coordinator.inventory;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.common.identity.HostId;
import dev.pageferry.coordinator.inventory.HostConnections.Connection;
import org.junit.jupiter.api.Test;

/** Whether the connection that a host was heard by has ended. */
class HostConnectionsTest {
  private static final HostId HOST = new HostId("host-a");

  private final HostConnections connections = new HostConnections();
  private final Connection first = new Connection();

  @Test
  void aHostWhoseLastConnectionEndedIsCutOffUntilItComesByAnother() {
    connections.heard(HOST, first);
    assertThat(connections.isBroken(HOST)).isFalse();
    first.end();
    assertThat(connections.isBroken(HOST)).isTrue();
    connections.heard(HOST, new Connection());
    assertThat(connections.isBroken(HOST)).isFalse();
  }

  @Test
  void theEndOfAConnectionFromBeforeIsNothing() {
    connections.heard(HOST, first);
    connections.heard(HOST, new Connection());
    first.end();
    assertThat(connections.isBroken(HOST)).isFalse();
  }

  /** A heartbeat that was under way when its connection ended. */
  @Test
  void whatIsHeardLateByAConnectionThatHasEndedChangesNothing() {
    connections.heard(HOST, first);
    first.end();
    connections.heard(HOST, first);
    assertThat(connections.isBroken(HOST)).isTrue();
  }

  @Test
  void aCallByAConnectionThatHasEndedDoesNotTakeThePlaceOfOneThatLives() {
    connections.heard(HOST, new Connection());
    first.end();
    connections.heard(HOST, first);
    assertThat(connections.isBroken(HOST)).isFalse();
  }

  @Test
  void aHostThatWasNeverHeardHasNoConnectionThatCouldBreak() {
    assertThat(connections.isBroken(HOST)).isFalse();
  }
}
