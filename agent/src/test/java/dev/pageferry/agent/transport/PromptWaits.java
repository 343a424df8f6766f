package dev.pageferry.agent.transport;

import java.time.Duration;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Has a class of many short tests notice soon that what they wait for is there: by itself Awaitility looks every 100 ms. */
final class PromptWaits implements BeforeAllCallback, AfterAllCallback {
  private static final Duration INTERVAL = Duration.ofMillis(5);

  @Override
  public void beforeAll(ExtensionContext context) {
    Awaitility.setDefaultPollDelay(Duration.ZERO);
    Awaitility.setDefaultPollInterval(INTERVAL);
  }

  @Override
  public void afterAll(ExtensionContext context) {
    Awaitility.reset();
  }
}
