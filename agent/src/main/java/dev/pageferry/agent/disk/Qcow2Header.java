package dev.pageferry.agent.disk;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The head of a qcow2 file, as far as it says how large the file may become and whether all of the disk is in it. Only the
 * hypervisor reads the rest. Source: QEMU's {@code docs/interop/qcow2.rst}.
 *
 * @param guestBytes size of the disk as a guest sees it
 * @param clusterBits the file's unit of allocation is {@code 1 << clusterBits} bytes
 * @param refcountBits of the count of uses of a cluster
 * @param mapEntryBytes of the map from clusters of the disk to clusters of the file
 */
record Qcow2Header(long guestBytes, int clusterBits, int refcountBits, int mapEntryBytes) {
  /** Of version 3, without extensions. */
  static final int BYTES = 104;
  static final long MAX_GUEST_BYTES = 8L << 40;
  private static final int MAGIC = 0x514649fb;
  private static final int OWN_CLUSTER_BITS = 16;
  private static final int OWN_REFCOUNT_ORDER = 4;
  private static final int LEAST_CLUSTER_BITS = 9;
  private static final int MOST_CLUSTER_BITS = 21;
  private static final int MOST_REFCOUNT_ORDER = 6;
  private static final int TABLE_ENTRY_BYTES = 8;

  private static final long CORRUPT = 1L << 1;
  private static final long EXTERNAL_DATA = 1L << 2;
  private static final long EXTENDED_L2 = 1L << 4;
  /** Dirty counts of uses are put right when it is opened; another compression is the hypervisor's matter. */
  private static final long KNOWN = 1L | CORRUPT | EXTERNAL_DATA | 1L << 3 | EXTENDED_L2;

  /**
   * @param head the file's first {@link #BYTES}
   * @throws DiskException if it is not one, or the disk is not in this file alone
   */
  static Qcow2Header decode(ByteBuffer head) throws DiskException {
    ByteBuffer in = head.duplicate().order(ByteOrder.BIG_ENDIAN);
    int version = in.getInt(4);
    require(in.getInt(0) == MAGIC && (version == 2 || version == 3), "it does not begin as one of version 2 or 3");
    require(in.getLong(8) == 0,
        "it has a backing file, which would have to be on every host; flatten it (qemu-img convert)");
    require(in.getInt(32) == 0, "it is encrypted");
    require(in.getInt(60) == 0, "it has internal snapshots; delete them (qemu-img snapshot -d)");
    long features = version == 2 ? 0 : in.getLong(72);
    require((features & CORRUPT) == 0, "it is marked corrupt; repair it (qemu-img check -r all)");
    require((features & EXTERNAL_DATA) == 0, "its data is in another file; convert it (qemu-img convert)");
    require((features & ~KNOWN) == 0, "it has features that are not known here: 0x%x".formatted(features & ~KNOWN));
    int clusterBits = in.getInt(20);
    require(clusterBits >= LEAST_CLUSTER_BITS && clusterBits <= MOST_CLUSTER_BITS,
        "its clusters have 2^%d bytes".formatted(clusterBits));
    int order = version == 2 ? OWN_REFCOUNT_ORDER : in.getInt(96);
    require(order >= 0 && order <= MOST_REFCOUNT_ORDER, "its counts of uses have 2^%d bits".formatted(order));
    long guestBytes = in.getLong(24);
    require(guestBytes > 0 && guestBytes <= MAX_GUEST_BYTES && guestBytes % VhdFooter.SECTOR_BYTES == 0,
        "its disk has %d bytes".formatted(guestBytes));
    return new Qcow2Header(guestBytes, clusterBits, 1 << order,
        (features & EXTENDED_L2) == 0 ? TABLE_ENTRY_BYTES : 2 * TABLE_ENTRY_BYTES);
  }

  private static void require(boolean holds, String otherwise) throws DiskException {
    if (!holds) {
      throw new DiskException(otherwise);
    }
  }

  /**
   * Size that the file never grows beyond: twice its clusters when all of the disk is written. Clusters that are compressed take
   * room until the last of those that share it is written over, and tables move as they grow. Files have holes: it costs nothing.
   */
  long mostFileBytes() {
    long cluster = 1L << clusterBits;
    long data = Math.ceilDiv(guestBytes, cluster);
    long maps = Math.ceilDiv(data * mapEntryBytes, cluster);
    long mapTable = Math.ceilDiv(maps * TABLE_ENTRY_BYTES, cluster);
    long counted = 2 * (1 + data + maps + 2 * mapTable);
    long counts = Math.ceilDiv(counted * refcountBits / 8, cluster) + 1;
    long countTable = Math.ceilDiv(counts * TABLE_ENTRY_BYTES, cluster) + 1;
    return (counted + 2 * (counts + 2 * countTable)) * cluster;
  }

  /** The first bytes of a file whose disk is zeros; the rest of the file has none. */
  static ByteBuffer empty(long guestBytes) {
    int cluster = 1 << OWN_CLUSTER_BITS;
    long maps = Math.ceilDiv(guestBytes, (long) cluster * (cluster / TABLE_ENTRY_BYTES));
    int mapClusters = (int) Math.ceilDiv(maps * TABLE_ENTRY_BYTES, cluster);
    int used = 3 + mapClusters;
    ByteBuffer out = ByteBuffer.allocate(used * cluster).order(ByteOrder.BIG_ENDIAN);
    out.putInt(0, MAGIC).putInt(4, 3).putInt(20, OWN_CLUSTER_BITS).putLong(24, guestBytes);
    out.putInt(36, (int) maps).putLong(40, 3L * cluster);
    out.putLong(48, cluster).putInt(56, 1);
    out.putInt(96, OWN_REFCOUNT_ORDER).putInt(100, BYTES);
    // The table of counts, and its first block: this much of the file is used once.
    out.putLong(cluster, 2L * cluster);
    for (int i = 0; i < used; i++) {
      out.putShort(2 * cluster + 2 * i, (short) 1);
    }
    return out;
  }
}
