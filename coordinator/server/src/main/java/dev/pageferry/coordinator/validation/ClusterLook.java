package dev.pageferry.coordinator.validation;

import dev.pageferry.common.tls.Member;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * All that was seen of a cluster.
 *
 * @param hosts those that were to be looked at, in the order of their names
 * @param own who the coordinator is; empty: it works without certificates
 * @param at when that was
 */
record ClusterLook(List<HostLook> hosts, List<StorageLook> storages, List<LinkLook> links, Optional<OwnCertificate> own,
    String coordinatorVersion, Instant at) {

  /** By what members know the coordinator. */
  record OwnCertificate(Member self, Instant notAfter) {
  }

  /**
   * A host.
   *
   * @param isUp heard within the time-out
   * @param storageId empty: it has none
   * @param memoryBytes that it promises to guests
   * @param guests memory in bytes of each VM that it has, by name
   * @param version of its agent, as it registered
   * @param facts what it said of itself; empty: nothing
   * @param trouble why it said nothing; else empty
   * @param isOlder it said nothing as its version does not know the question
   */
  record HostLook(String name, boolean isUp, String version, String storageId, long memoryBytes, long memoryFreeBytes,
      Map<String, Long> guests, Optional<HostFacts> facts, String trouble, boolean isOlder,
      Optional<ClockLook> clock) {
  }

  /**
   * The clocks of a host against those of the coordinator.
   *
   * @param offsetSeconds its time of day is so much ahead; known up to the uncertainty
   * @param rateError its boot clock goes so much faster, as a part: 0.001 is a thousandth; known up to the uncertainty
   */
  record ClockLook(double offsetSeconds, double offsetUncertainty, double rateError, double rateUncertainty) {
  }

  /**
   * What a link between two hosts was found to be.
   *
   * @param measure empty: nothing was measured
   * @param trouble why not
   * @param isSkipped it was left alone, as a migration uses it
   * @param cardBytesPerSecond what the slower of the two cards can; 0: not known
   */
  record LinkLook(String source, String destination, Optional<LinkMeasure> measure, String trouble,
      boolean isSkipped, double cardBytesPerSecond) {
    /** The faster of two measures; a link that failed once is not one that works. */
    LinkLook better(LinkLook other) {
      if (measure.isEmpty() || other.measure.isEmpty()) {
        return measure.isEmpty() ? this : other;
      }
      return other.bytesPerSecond().orElse(0.0) > bytesPerSecond().orElse(0.0) ? other : this;
    }

    /** Empty where so little came that its time says nothing. */
    Optional<Double> bytesPerSecond() {
      return measure.filter(it -> it.getBytes() > 0 && it.getSeconds() > 0).map(it -> it.getBytes() / it.getSeconds());
    }
  }

  /**
   * What one storage did.
   *
   * @param hosts that say they have it
   * @param flushSeconds of one small file, by the host that wrote it
   */
  record StorageLook(String id, List<String> hosts, Map<String, Double> flushSeconds, List<StorageTrouble> troubles) {
  }

  /**
   * Something that storage did not do.
   *
   * @param check its name: storage-writable
   * @param hosts where
   */
  record StorageTrouble(String check, List<String> hosts, String reason) {
  }

  /** Hosts that said what they are, with it. */
  List<HostLook> answered() {
    return hosts.stream().filter(each -> each.facts().isPresent()).toList();
  }
}
