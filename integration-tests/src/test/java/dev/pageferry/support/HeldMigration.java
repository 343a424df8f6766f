package dev.pageferry.support;

import dev.pageferry.proto.cluster.v1.Migration;
import java.io.IOException;

/** A migration one of whose hosts is held at a failpoint, so that something can happen to the cluster meanwhile. */
public final class HeldMigration {
  private final TestCluster cluster;
  private final Failpoint failpoint;
  private final String id;

  HeldMigration(TestCluster cluster, Failpoint failpoint, String id) {
    this.cluster = cluster;
    this.failpoint = failpoint;
    this.id = id;
  }

  /** Starts one. */
  public interface Start {
    Migration start();
  }

  public String id() {
    return id;
  }

  /** Kills the agent of a host; whoever was held goes on, if it lives. */
  public void kill(String host) throws IOException, InterruptedException {
    cluster.agent(host).kill();
    release();
  }

  /** Freezes the agent of a host; whoever was held goes on once it is not frozen. */
  public void freeze(String host) throws IOException, InterruptedException {
    cluster.agent(host).freeze();
    release();
  }

  /** Kills the coordinator; whoever was held goes on. */
  public void killCoordinator() throws IOException, InterruptedException {
    cluster.coordinator().kill();
    release();
  }

  public void release() throws IOException {
    failpoint.release();
  }

  /** The migration once it has ended. */
  public Migration end() {
    return cluster.awaitEnd(id);
  }
}
