package dev.pageferry.coordinator.rpc;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A real server and real records, and two hosts, a and b, whose agents are played. */
abstract class ServedSiteFixture {
  @TempDir
  Path directory;
  ServedSite served;

  @BeforeEach
  void open() throws IOException {
    served = new ServedSite(directory);
    served.site().register("a");
    served.site().register("b");
  }

  @AfterEach
  void close() throws InterruptedException {
    served.close();
  }
}
