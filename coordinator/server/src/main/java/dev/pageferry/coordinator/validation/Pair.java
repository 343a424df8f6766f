package dev.pageferry.coordinator.validation;

import dev.pageferry.coordinator.inventory.HostInventory.Host;
import java.util.ArrayList;
import java.util.List;

/** Two hosts, in one direction. */
record Pair(Host source, Host destination) {
  /** Of so many hosts every pair is looked at. */
  static final int ALL_UP_TO = 12;
  /** Of more each with so many that follow it in a ring: the work grows with the hosts, not with their square. */
  static final int NEIGHBOURS = 3;

  /** The pairs that are looked at, both directions of each. */
  static List<Pair> of(List<Host> hosts) {
    List<Pair> pairs = new ArrayList<>();
    int size = hosts.size();
    for (int i = 0; i < size; i++) {
      int last = size <= ALL_UP_TO ? size - 1 : i + NEIGHBOURS;
      for (int j = i + 1; j <= last; j++) {
        Host other = hosts.get(j % size);
        pairs.add(new Pair(hosts.get(i), other));
        pairs.add(new Pair(other, hosts.get(i)));
      }
    }
    return pairs;
  }
}
