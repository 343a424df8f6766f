package dev.pageferry.common.server;

import dev.pageferry.common.concurrent.Scheduler;
import dev.pageferry.common.concurrent.Task;
import dev.pageferry.common.tls.Credentials;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Says twice a day that a certificate is about to end, from 30 days before: nothing that runs ends with it, but nothing new can connect. */
final class CertificateAlarm {
  private static final Logger log = LoggerFactory.getLogger(CertificateAlarm.class);
  static final Duration AHEAD = Duration.ofDays(30);
  private static final Duration AGAIN = Duration.ofHours(12);

  private CertificateAlarm() {
  }

  /** Looks now, and as long as the process lives. */
  static void start(Credentials credentials, Scheduler scheduler) {
    Task _ = scheduler.start("certificate-alarm", () -> {
      try {
        while (true) {
          look(credentials, Instant.ofEpochMilli(scheduler.wallMillis()));
          scheduler.sleep(AGAIN);
        }
      } catch (InterruptedException e) {
        // The process ends.
      }
    });
  }

  private static void look(Credentials credentials, Instant now) {
    Duration left = Duration.between(now, credentials.notAfter());
    if (left.isNegative()) {
      log.error("the certificate of {} ended at {}: nothing new connects to it; renew it", credentials.self(),
          credentials.notAfter());
    } else if (left.compareTo(AHEAD) < 0) {
      log.warn("the certificate of {} ends in {} days, at {}; renew it", credentials.self(), left.toDays(),
          credentials.notAfter());
    }
  }
}
