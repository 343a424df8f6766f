package dev.pageferry.coordinator.fakes;

import dev.pageferry.coordinator.store.SqliteRecordStore;
import java.io.IOException;

/** The same, with records that the test gets in between. */
public abstract class InterposedSiteFixture extends SiteFixture {
  @SuppressWarnings("NullAway.Init") // newSite() is called before each test
  protected InterposedStore store;

  @Override
  protected FakeSite newSite() throws IOException {
    store = new InterposedStore(SqliteRecordStore.open(directory));
    return new FakeSite(directory, store);
  }
}
