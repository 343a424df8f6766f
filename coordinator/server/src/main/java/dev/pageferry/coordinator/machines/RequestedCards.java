package dev.pageferry.coordinator.machines;

import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.coordinator.ownership.OwnershipLedger;
import dev.pageferry.coordinator.ownership.OwnershipLedger.Row;
import dev.pageferry.coordinator.request.RequestException;
import dev.pageferry.coordinator.request.RequestException.Kind;
import java.util.ArrayList;
import java.util.List;

/** The network cards of a new VM, as an operator wrote them. */
final class RequestedCards {
  /** As many as agents take. */
  private static final int MAX_CARDS = 8;

  private RequestedCards() {
  }

  static List<dev.pageferry.proto.agent.v1.NetworkCard> parse(List<String> texts) {
    List<dev.pageferry.proto.agent.v1.NetworkCard> cards = new ArrayList<>();
    for (String each : texts) {
      NetworkCard card = NetworkCard.parse(each);
      cards.add(dev.pageferry.proto.agent.v1.NetworkCard.newBuilder().setMac(card.mac().toString()).setVni(card.vni())
          .setAddress(card.address().toString()).build());
    }
    if (cards.size() > MAX_CARDS) {
      throw new IllegalArgumentException("%d network cards are more than %d".formatted(cards.size(), MAX_CARDS));
    }
    for (int i = 0; i < cards.size(); i++) {
      for (var other : cards.subList(0, i)) {
        var card = cards.get(i);
        if (card.getVni() == other.getVni()
            && (card.getMac().equals(other.getMac()) || card.getAddress().equals(other.getAddress()))) {
          throw new IllegalArgumentException(
              "two network cards of one VM have the same address on network %d: %s %s, %s %s"
                  .formatted(card.getVni(), other.getMac(), other.getAddress(), card.getMac(), card.getAddress()));
        }
      }
    }
    return cards;
  }

  /** A network with two cards of one address would lose the frames of one of them. */
  static void requireFree(OwnershipLedger ledger, List<dev.pageferry.proto.agent.v1.NetworkCard> cards)
      throws RequestException {
    for (Row row : ledger.list()) {
      for (var other : row.record().getSpec().getNicsList()) {
        for (var card : cards) {
          requireApart(card, other, row.record().getSpec().getName());
        }
      }
    }
  }

  private static void requireApart(dev.pageferry.proto.agent.v1.NetworkCard card,
      dev.pageferry.proto.agent.v1.NetworkCard other, String vm) throws RequestException {
    if (card.getVni() != other.getVni()) {
      return;
    }
    if (card.getMac().equals(other.getMac())) {
      throw new RequestException(Kind.REFUSED, "MAC address %s is VM %s's on network %d; choose another", card.getMac(),
          vm, card.getVni());
    }
    if (card.getAddress().equals(other.getAddress())) {
      throw new RequestException(Kind.REFUSED,
          "address %s is VM %s's on network %d; choose another with --nic MAC@VNI,ip=ADDRESS", card.getAddress(), vm,
          card.getVni());
    }
  }
}
