package dev.pageferry.benchmark;

import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.station.BackgroundConversation;
import dev.pageferry.station.Conversation;
import dev.pageferry.station.KeyValueClient;
import dev.pageferry.station.UdpStation;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;

/** N2: a client that talks to a VM's key-value store while the VM moves: what is acknowledged is there, and was done once. */
final class ConversationScenario implements Scenario {
  private static final long MEMORY_BYTES = 1024 * Bench.MEBIBYTE;
  private static final int VNI = 8;
  private static final Ipv4Address GUEST = Ipv4Address.parse("10.0.0.6");
  private static final String CLIENT = "bench-client";

  private final Bench bench;
  private final Outcome outcome = new Outcome("n2", "A conversation through moves");

  ConversationScenario(Bench bench) {
    this.bench = bench;
  }

  @Override
  public Outcome outcome() {
    return outcome;
  }

  @Override
  public void run() {
    int moves = bench.quick() ? 4 : 20;
    try (UdpStation station = new UdpStation(VNI, Ipv4Address.parse("10.200.0.9"));
        Cluster.Vm vm = bench.requireCluster().create(new Cluster.Spec("bench-talk", MEMORY_BYTES, "uniform",
            List.of("rate=100MB/s", "workingSet=64MiB"), List.of("--nic", "02:00:00:00:00:06@" + VNI)))) {
      station.tell(bench.requireCluster().letIn(CLIENT, station.tunnelEnd(), VNI));
      try {
        talk(station, vm, moves);
      } finally {
        bench.requireCluster().shutOut(CLIENT);
      }
    } catch (IOException e) {
      throw new BenchmarkException("no socket for the client: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new BenchmarkException("interrupted", e);
    }
  }

  private void talk(UdpStation station, Cluster.Vm vm, int moves) throws InterruptedException {
    if (station.resolve(GUEST, Duration.ofSeconds(30)).isEmpty()) {
      throw new BenchmarkException(GUEST + " does not answer");
    }
    BackgroundConversation conversation = new BackgroundConversation(new KeyValueClient(station, GUEST), 1);
    try {
      for (int i = 1; i <= moves && !conversation.isOver(); i++) {
        long before = conversation.changes();
        Move move = vm.move();
        outcome.add("reported blackout", Metric.MILLISECONDS, move.blackoutSeconds() * 1e3);
        outcome.add("acknowledged changes a move", "", (double) conversation.changes() - before);
        bench.progress().say("N2: move %d of %d: %d changes acknowledged", i, moves, conversation.changes());
      }
    } finally {
      conversation.leave();
    }
    try {
      Conversation ended = conversation.end();
      outcome.note(
          "%d changes were acknowledged through %d moves, each was there afterwards and none was done twice; %d requests were sent again."
              .formatted(ended.changes(), moves, ended.sentAgain()));
    } catch (ExecutionException e) {
      outcome.fault("the conversation broke: " + e.getCause());
    }
  }
}
