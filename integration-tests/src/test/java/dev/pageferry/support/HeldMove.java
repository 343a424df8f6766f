package dev.pageferry.support;

import static org.assertj.core.api.Assertions.assertThat;

import dev.pageferry.proto.cluster.v1.CancelMigrationRequest;
import dev.pageferry.proto.cluster.v1.Migration;
import dev.pageferry.proto.cluster.v1.Vm;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * A live move of a machine of QEMU that is held ahead of its commit, where both hosts have all of it and neither lets it run.
 *
 * @param source the host that has it
 * @param destination where it is to go
 * @param commit where the source is held
 */
public record HeldMove(TestCluster cluster, String vmId, String source, String destination, Failpoint commit,
    String migration) {
  /** Something that is seen while the destination is not ready, and the guest goes on where it was. */
  public interface Meanwhile {
    void look() throws Exception;
  }

  /** As the other, where nothing is to be seen meanwhile. */
  public static HeldMove afterOneThatWasPutOff(TestCluster cluster, String name, String destination) throws Exception {
    return afterOneThatWasPutOff(cluster, name, destination, () -> {
    });
  }

  /** Has its first switchover take too long, and waits until the second one is about to be committed. */
  public static HeldMove afterOneThatWasPutOff(TestCluster cluster, String name, String destination,
      Meanwhile meanwhile)
      throws Exception {
    Vm vm = cluster.vm(name);
    Failpoint ready = cluster.hold(destination, "destination.stop-and-copy.before-ready");
    Failpoint putOff = cluster.hold(vm.getHost(), "source.stop-and-copy.put-off");
    Failpoint commit = cluster.hold(vm.getHost(), "source.storage-handoff.before-commit");
    Migration migration = cluster.migrate(name, destination);
    ready.awaitReached();
    putOff.awaitReached();
    meanwhile.look();
    ready.release();
    putOff.release();
    commit.awaitReached();
    return new HeldMove(cluster, vm.getId(), vm.getHost(), destination, commit, migration.getId());
  }

  /** As {@link #afterOneThatWasPutOff}, of a move whose first switchover is well. */
  public static HeldMove atOnce(TestCluster cluster, String name, String destination) throws IOException {
    Vm vm = cluster.vm(name);
    Failpoint commit = cluster.hold(vm.getHost(), "source.storage-handoff.before-commit");
    Migration migration = cluster.migrate(name, destination);
    commit.awaitReached();
    return new HeldMove(cluster, vm.getId(), vm.getHost(), destination, commit, migration.getId());
  }

  /** Every byte of RAM is the same on both hosts. */
  public HeldMove assertSameRam() throws Exception {
    assertThat(sha256(QemuProcesses.ram(vmId, destination))).as("RAM at the destination")
        .isEqualTo(sha256(QemuProcesses.ram(vmId, source)));
    return this;
  }

  private static String sha256(Path ram) throws Exception {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    try (InputStream file = Files.newInputStream(ram); InputStream in = new DigestInputStream(file, digest)) {
      long unused = in.transferTo(OutputStream.nullOutputStream());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Lets it be committed. */
  public void complete() throws IOException {
    commit.release();
    assertThat(cluster.awaitEnd(migration).getState()).isEqualTo(Migration.State.COMPLETED);
  }

  /** Ends it instead: the machine stays where it is. */
  public void cancel() throws IOException {
    var unused = cluster.api().cancelMigration(CancelMigrationRequest.newBuilder().setId(migration).build());
    commit.release();
    assertThat(cluster.awaitEnd(migration).getState()).isEqualTo(Migration.State.CANCELLED);
  }
}
