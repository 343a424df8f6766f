package dev.pageferry.coordinator.validation;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.pageferry.common.failure.ShortText;
import dev.pageferry.proto.agent.v1.HostFacts;
import dev.pageferry.proto.agent.v1.LinkMeasure;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/** What a host says is taken as far as it can be so: a host that was taken over may say anything, and the others are judged all the same. */
final class Plausible {
  private static final int MOST_OF_A_LIST = 2000;
  private static final int DEEPEST = 8;
  private static final double LONGEST_SECONDS = 60;
  private static final double SHORTEST_SECONDS = 1e-6;
  private static final Instant LATEST = Instant.EPOCH.plus(Duration.ofDays(365L * 1000));

  private Plausible() {
  }

  /**
   * Facts whose texts and lists are short.
   *
   * @throws IllegalArgumentException if a number is one that nothing can have
   */
  static HostFacts facts(HostFacts said) {
    if (said.getMachineMemoryBytes() < 0 || said.getStorage().getTotalBytes() < 0
        || said.getStorage().getUsableBytes() < 0
        || said.getCertificate().getNotAfterSeconds() < 0
        || said.getCertificate().getNotAfterSeconds() > LATEST.getEpochSecond()) {
      throw new IllegalArgumentException("it reported impossible values");
    }
    HostFacts.Builder facts = said.toBuilder();
    shorten(facts, 0);
    return facts.build();
  }

  /** @throws IllegalArgumentException if it is a measure of nothing */
  static LinkMeasure measure(LinkMeasure said) {
    boolean isPossible = said.getBytes() >= 0 && isBetween(said.getSeconds(), 0, LONGEST_SECONDS)
        && (said.getBytes() == 0 || said.getSeconds() >= SHORTEST_SECONDS)
        && isBetween(said.getRoundTripSeconds(), 0, LONGEST_SECONDS) && said.getPathMtu() >= 0;
    if (!isPossible) {
      throw new IllegalArgumentException(
          "it reported an impossible measure: %d bytes in %s s".formatted(said.getBytes(),
              said.getSeconds()));
    }
    return said;
  }

  private static boolean isBetween(double value, double least, double most) {
    return value >= least && value <= most;
  }

  private static void shorten(Message.Builder message, int depth) {
    for (FieldDescriptor field : List.copyOf(message.getAllFields().keySet())) {
      if (field.isRepeated() && message.getRepeatedFieldCount(field) > MOST_OF_A_LIST) {
        message.setField(field, ((List<?>) message.getField(field)).subList(0, MOST_OF_A_LIST));
      }
      switch (field.getJavaType()) {
        case STRING -> shortenTexts(message, field);
        case MESSAGE -> shortenMessages(message, field, depth);
        default -> {
        }
      }
    }
  }

  private static void shortenTexts(Message.Builder message, FieldDescriptor field) {
    if (!field.isRepeated()) {
      message.setField(field, String.valueOf(ShortText.of((String) message.getField(field))));
      return;
    }
    for (int i = 0; i < message.getRepeatedFieldCount(field); i++) {
      message.setRepeatedField(field, i, String.valueOf(ShortText.of((String) message.getRepeatedField(field, i))));
    }
  }

  private static void shortenMessages(Message.Builder message, FieldDescriptor field, int depth) {
    if (depth >= DEEPEST) {
      return;
    }
    if (!field.isRepeated()) {
      shorten(message.getFieldBuilder(field), depth + 1);
      return;
    }
    for (int i = 0; i < message.getRepeatedFieldCount(field); i++) {
      shorten(message.getRepeatedFieldBuilder(field, i), depth + 1);
    }
  }
}
