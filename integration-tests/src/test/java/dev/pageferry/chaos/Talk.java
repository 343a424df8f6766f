package dev.pageferry.chaos;

import dev.pageferry.common.config.HostPort;
import dev.pageferry.common.packet.Ipv4Address;
import dev.pageferry.proto.cluster.v1.AddVtepRequest;
import dev.pageferry.proto.cluster.v1.ListVtepsRequest;
import dev.pageferry.proto.cluster.v1.Vtep;
import dev.pageferry.station.Conversation;
import dev.pageferry.station.KeyValueClient;
import dev.pageferry.station.UdpStation;
import dev.pageferry.support.LabCluster;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A client that talks to a VM's key-value store all along. What was acknowledged to it holds for as long as the VM was not booted
 * anew; then it begins again, and that is counted.
 */
final class Talk implements AutoCloseable {
  static final int VNI = 7;
  static final Ipv4Address GUEST = Ipv4Address.parse("10.97.0.5");
  private static final Duration LONGEST_SILENCE = Duration.ofMinutes(5);
  private static final Duration BOOT_SHOWS = Duration.ofSeconds(15);
  private static final String CLIENT = "10.98.0.101";

  private final String vm;
  private final RowLedger rows;
  private final Story story;
  private final UdpStation station;
  private final List<String> problems = new ArrayList<>();
  private final Thread thread;
  private volatile boolean over;
  private volatile long changes;
  private volatile long beginnings;
  private volatile boolean checkedAll;
  private long seed;

  Talk(LabCluster cluster, String vm, RowLedger rows, Story story, long seed) throws IOException {
    this.vm = vm;
    this.rows = rows;
    this.story = story;
    this.seed = seed;
    station = new UdpStation(VNI, Ipv4Address.parse("10.97.0.9"), InetAddress.getByName(CLIENT));
    var _ = cluster.api().addVtep(AddVtepRequest.newBuilder().setName("client").setAddress(station.tunnelEnd())
        .setVni(VNI).build());
    station.tell(cluster.api().listVteps(ListVtepsRequest.getDefaultInstance()).getVtepsList().stream()
        .filter(Vtep::getHost).map(each -> HostPort.parse(each.getAddress()))
        .map(each -> new InetSocketAddress(each.host(), each.port())).toList());
    thread = Thread.ofPlatform().daemon().name("talk").start(this::run);
  }

  private void run() {
    try {
      while (!over && station.resolve(GUEST, Duration.ofSeconds(1)).isEmpty()) {
        // Not booted yet.
      }
      while (!checkedAll && problems().isEmpty()) {
        converse();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void converse() throws InterruptedException {
    beginnings++;
    long bootsBefore = rows.boots(vm);
    Conversation conversation = new Conversation(new KeyValueClient(station, GUEST, LONGEST_SILENCE), seed++);
    long changesBefore = changes;
    try {
      while (!over) {
        conversation.step();
        changes = changesBefore + conversation.changes();
      }
      conversation.checkAll();
      checkedAll = true;
    } catch (IllegalStateException e) {
      if (wasBooted(bootsBefore)) {
        story.count("conversations ended by a boot");
        story.tell("talk     begins again, since %s was booted anew".formatted(vm));
      } else {
        problem("%s was not booted, and what it had acknowledged does not hold: %s".formatted(vm, e.getMessage()));
      }
    } catch (IOException e) {
      problem("%s does not answer: %s".formatted(vm, e.getMessage()));
    }
  }

  /** That may show later than the guest answers. */
  private boolean wasBooted(long bootsBefore) throws InterruptedException {
    long end = System.nanoTime() + BOOT_SHOWS.toNanos();
    while (System.nanoTime() - end < 0) {
      if (rows.boots(vm) > bootsBefore) {
        return true;
      }
      Thread.sleep(50);
    }
    return false;
  }

  private synchronized void problem(String text) {
    story.tell("BROKEN   " + text);
    problems.add(text);
  }

  synchronized List<String> problems() {
    return List.copyOf(problems);
  }

  long changes() {
    return changes;
  }

  long beginnings() {
    return beginnings;
  }

  /** Has it look at everything that was acknowledged, once it may. */
  void end(Duration patience) throws InterruptedException {
    over = true;
    boolean _ = thread.join(patience);
    if (!checkedAll && problems().isEmpty()) {
      problem("%s does not answer in the end".formatted(vm));
    }
  }

  @Override
  public void close() throws IOException {
    over = true;
    thread.interrupt();
    station.close();
  }
}
