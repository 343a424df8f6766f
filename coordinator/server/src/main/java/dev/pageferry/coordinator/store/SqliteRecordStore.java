package dev.pageferry.coordinator.store;

import dev.pageferry.common.failure.IoFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;

/**
 * Records in one SQLite file: write-ahead log, synchronous=FULL, so that a commit is on disk before it is answered. The
 * file is locked for this process alone, so that two coordinators cannot share it by mistake; and so that all of it can be kept
 * in memory, too, from which it is read: no reader waits for a disk.
 */
public final class SqliteRecordStore implements RecordStore {
  public static final String FILE = "coordinator.db";
  /** Result codes, the primary one in the lowest byte. Source: sqlite.org/rescode.html */
  private static final int PRIMARY_CODE = 0xff;
  private static final int SQLITE_BUSY = 5;
  private static final int SQLITE_LOCKED = 6;

  /** Guarded by this, as the file: one commit at a time. */
  private final Connection connection;
  /** By their text; parsed once, because a commit is a part of every blackout. Guarded by this. */
  private final Map<String, PreparedStatement> statements = new HashMap<>();
  /** What is durable; guarded by {@link #memory}, as the state. */
  private final TreeMap<String, Versioned> records = new TreeMap<>();
  /** Written as the others are; read by anybody, for a stamp that must not fail. */
  private volatile long revision;
  private State state = State.AS_THE_FILE;
  /** Never held while the file is used, but for reading all of it. */
  private final ReadWriteLock memory = new ReentrantReadWriteLock();

  private enum State {
    AS_THE_FILE,
    /** A commit failed, and the file may hold it all the same. */
    UNCERTAIN,
    CLOSED
  }

  private SqliteRecordStore(Connection connection) {
    this.connection = connection;
  }

  /**
   * Opens the store in a directory, which is created where it is missing.
   *
   * @throws IOException if it cannot be read or written, or another process has it
   */
  public static SqliteRecordStore open(Path directory) throws IOException {
    try {
      Files.createDirectories(directory);
    } catch (IOException e) {
      throw new IOException("the directory of records (--data) cannot be made: %s".formatted(IoFailure.sentence(e)), e);
    }
    return connect(directory.resolve(FILE).toString());
  }

  /** The files of a store, the one that all depends on first. */
  public static List<String> files(String name) {
    return List.of(name, name + "-journal", name + "-wal", name + "-shm");
  }

  /**
   * Makes a store of these records, safely on disk and read again; nothing may be there. Without a write-ahead log, which a full disk
   * keeps from becoming a part of the file when it is closed.
   */
  public static void make(Path file, List<Versioned> contents, long revision) throws IOException {
    try (SqliteRecordStore store = connect(file.toString(), "DELETE")) {
      store.fill(contents, revision);
    }
    try (SqliteRecordStore store = connect(file.toString(), "DELETE")) {
      Snapshot made = store.snapshot();
      if (made.revision() != revision || made.records().size() != contents.size()) {
        throw new IOException(
            "%s has %d records of revision %d, and not %d of %d".formatted(file, made.records().size(),
                made.revision(), contents.size(), revision));
      }
    }
  }

  /** @throws IOException if another process has it */
  public static void requireAlone(Path file) throws IOException {
    try (Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
        Statement statement = connection.createStatement()) {
      for (String each : List.of("PRAGMA busy_timeout=0", "BEGIN EXCLUSIVE", "ROLLBACK")) {
        boolean _ = statement.execute(each);
      }
    } catch (SQLException e) {
      // Whatever else is wrong with it, nobody else has it.
      int code = e.getErrorCode() & PRIMARY_CODE;
      if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        throw new IOException("records in %s are used by another coordinator; end it first".formatted(file), e);
      }
    }
  }

  private synchronized void fill(List<Versioned> contents, long newest) throws IOException {
    try {
      run("BEGIN");
      for (Versioned each : contents) {
        write(new Transaction.Write(each.key(), Optional.of(each.value())), each.revision());
      }
      PreparedStatement statement = prepared("UPDATE store SET revision = ?");
      statement.setLong(1, newest);
      statement.executeUpdate();
      run("COMMIT");
    } catch (SQLException e) {
      throw new IOException("records cannot be restored: " + e.getMessage(), e);
    }
  }

  /** A store that lasts as long as it is open. */
  public static SqliteRecordStore inMemory() throws IOException {
    return connect(":memory:");
  }

  private static SqliteRecordStore connect(String file) throws IOException {
    return connect(file, "WAL");
  }

  private static SqliteRecordStore connect(String file, String journal) throws IOException {
    try {
      Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
      try (Statement statement = connection.createStatement()) {
        statement.execute("PRAGMA locking_mode=EXCLUSIVE");
        statement.execute("PRAGMA journal_mode=" + journal);
        statement.execute("PRAGMA synchronous=FULL");
        statement.execute(
            "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL)");
        statement.execute(
            "CREATE TABLE IF NOT EXISTS store (only INTEGER PRIMARY KEY CHECK (only = 0), revision INTEGER NOT NULL)");
        statement.execute("INSERT OR IGNORE INTO store VALUES (0, 0)");
      } catch (SQLException e) {
        connection.close();
        throw e;
      }
      SqliteRecordStore store = new SqliteRecordStore(connection);
      store.readAll();
      return store;
    } catch (SQLException e) {
      throw new IOException(
          "records in %s cannot be opened (is another coordinator using them?): %s".formatted(file, e.getMessage()), e);
    }
  }

  /** Takes over what the file holds. */
  private synchronized void readAll() throws SQLException {
    List<Versioned> found = new ArrayList<>();
    long newest;
    try (ResultSet rows = prepared("SELECT key, value, revision FROM records").executeQuery()) {
      while (rows.next()) {
        found.add(new Versioned(rows.getString(1), rows.getBytes(2), rows.getLong(3)));
      }
    }
    try (ResultSet rows = prepared("SELECT revision FROM store").executeQuery()) {
      rows.next();
      newest = rows.getLong(1);
    }
    memory.writeLock().lock();
    try {
      records.clear();
      found.forEach(each -> records.put(each.key(), each));
      revision = newest;
      state = State.AS_THE_FILE;
    } finally {
      memory.writeLock().unlock();
    }
  }

  @Override
  public Optional<Versioned> get(String key) {
    return read(() -> Optional.ofNullable(records.get(key)));
  }

  @Override
  public List<Versioned> list(String prefix) {
    // Keys are ASCII: the prefix followed by the highest character bounds the range.
    return read(() -> List.copyOf(records.subMap(prefix, prefix + Character.MAX_VALUE).values()));
  }

  @Override
  public Snapshot snapshot() {
    return read(() -> new Snapshot(revision, List.copyOf(records.values())));
  }

  @Override
  public long revision() {
    return revision;
  }

  private <T> T read(Supplier<T> reading) {
    if (current() == State.UNCERTAIN) {
      makeCertain();
    }
    memory.readLock().lock();
    try {
      if (state == State.CLOSED) {
        throw closed("read");
      }
      return reading.get();
    } finally {
      memory.readLock().unlock();
    }
  }

  private static StoreException closed(String what) {
    return new StoreException("records cannot be " + what, new IllegalStateException("they are closed"));
  }

  private State current() {
    memory.readLock().lock();
    try {
      return state;
    } finally {
      memory.readLock().unlock();
    }
  }

  private synchronized void makeCertain() {
    if (current() == State.UNCERTAIN) {
      try {
        readAll();
      } catch (SQLException e) {
        throw new StoreException("records cannot be read", e);
      }
    }
  }

  private void become(State next) {
    memory.writeLock().lock();
    try {
      state = next;
    } finally {
      memory.writeLock().unlock();
    }
  }

  @Override
  public synchronized boolean commit(Transaction transaction) {
    makeCertain();
    if (current() == State.CLOSED) {
      throw closed("written");
    }
    if (!holds(transaction)) {
      return false;
    }
    try {
      run("BEGIN");
      long next = nextRevision();
      for (Transaction.Write each : transaction.writes()) {
        write(each, next);
      }
      run("COMMIT");
      take(transaction, next);
      return true;
    } catch (SQLException e) {
      become(State.UNCERTAIN);
      rollBack(e);
      throw new StoreException("records cannot be written", e);
    }
  }

  private void run(String statement) throws SQLException {
    boolean _ = prepared(statement).execute();
  }

  /** After some failures, a full disk for one, SQLite has done so itself: then there is no transaction to end. */
  private void rollBack(SQLException cause) {
    // A statement that failed is finalized by the driver, and of no use any more.
    List<PreparedStatement> before = List.copyOf(statements.values());
    statements.clear();
    try {
      for (PreparedStatement each : before) {
        each.close();
      }
      run("ROLLBACK");
    } catch (SQLException e) {
      cause.addSuppressed(e);
    }
  }

  /** The file grows no further, as on a full disk. For tests. */
  synchronized void limitPages(int pages) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      boolean _ = statement.execute("PRAGMA max_page_count=" + pages);
    }
  }

  private boolean holds(Transaction transaction) {
    return read(() -> transaction.comparisons().stream().allMatch(
        each -> Optional.ofNullable(records.get(each.key())).map(Versioned::revision).orElse(0L) == each.revision()));
  }

  /** What was committed can be read from now on. */
  private void take(Transaction transaction, long written) {
    memory.writeLock().lock();
    try {
      for (Transaction.Write each : transaction.writes()) {
        if (each.value().isPresent()) {
          records.put(each.key(), new Versioned(each.key(), each.value().get(), written));
        } else {
          records.remove(each.key());
        }
      }
      revision = written;
    } finally {
      memory.writeLock().unlock();
    }
  }

  private long nextRevision() throws SQLException {
    try (ResultSet rows = prepared("UPDATE store SET revision = revision + 1 RETURNING revision").executeQuery()) {
      rows.next();
      return rows.getLong(1);
    }
  }

  private void write(Transaction.Write write, long revision) throws SQLException {
    String sql = write.value().isPresent()
        ? "INSERT INTO records (value, revision, key) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision"
        : "DELETE FROM records WHERE key = ?";
    PreparedStatement statement = prepared(sql);
    if (write.value().isPresent()) {
      statement.setBytes(1, write.value().get());
      statement.setLong(2, revision);
      statement.setString(3, write.key());
    } else {
      statement.setString(1, write.key());
    }
    statement.executeUpdate();
  }

  private PreparedStatement prepared(String sql) throws SQLException {
    PreparedStatement known = statements.get(sql);
    if (known == null) {
      known = connection.prepareStatement(sql);
      statements.put(sql, known);
    }
    return known;
  }

  @Override
  public synchronized void close() {
    become(State.CLOSED);
    try {
      connection.close();
    } catch (SQLException e) {
      throw new StoreException("records cannot be closed", e);
    }
  }
}
