package dev.pageferry.common.concurrent;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class FollowersTest {
  private final Followers<String> followers = new Followers<>();
  private final List<String> heard = new ArrayList<>();

  @Test
  void oneThatFailsIsToldNoMoreAndTheOthersAre() {
    List<String> toldInVain = new ArrayList<>();
    followers.add(news -> {
      toldInVain.add(news);
      throw new IllegalStateException("its connection is closed");
    });
    followers.add(heard::add);
    followers.tell("first");
    followers.tell("second");
    assertThat(heard).containsExactly("first", "second");
    assertThat(toldInVain).containsExactly("first");
  }

  @Test
  void oneMayStopFollowingWhileItIsTold() {
    List<Consumer<String>> itself = new ArrayList<>();
    itself.add(news -> {
      heard.add(news);
      followers.remove(itself.getFirst());
    });
    followers.add(itself.getFirst());
    followers.add(heard::add);
    followers.tell("first");
    followers.tell("second");
    assertThat(heard).containsExactly("first", "first", "second");
  }
}
