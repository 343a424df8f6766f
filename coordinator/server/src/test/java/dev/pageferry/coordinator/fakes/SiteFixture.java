package dev.pageferry.coordinator.fakes;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A site of two hosts, a and b, whose agents are played, with the real records and inventory. */
public abstract class SiteFixture {
  @TempDir
  protected Path directory;
  protected FakeSite site;

  @BeforeEach
  void openSite() throws IOException {
    site = newSite();
    site.register("a");
    site.register("b");
  }

  protected FakeSite newSite() throws IOException {
    return new FakeSite(directory);
  }

  @AfterEach
  void closeSite() {
    site.close();
  }
}
