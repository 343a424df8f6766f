package dev.pageferry.coordinator.store;

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

/**
 * Records in one SQLite file: write-ahead log, synchronous=FULL, so that a commit is on disk before it is answered. The
 * file is locked for this process alone, so that two coordinators cannot share it by mistake.
 */
public final class SqliteRecordStore implements RecordStore {
  private static final String FILE = "coordinator.db";

  private final Connection connection;
  /** By their text; parsed once, because a commit is a part of every blackout. Guarded by this. */
  private final Map<String, PreparedStatement> statements = new HashMap<>();

  /** Read by every answer, without a question to the file. */
  private volatile long durableRevision;

  private SqliteRecordStore(Connection connection, long revision) {
    this.connection = connection;
    this.durableRevision = revision;
  }

  /**
   * Opens the store in a directory, which is created where it is missing.
   *
   * @throws IOException if it cannot be read or written, or another process has it
   */
  public static SqliteRecordStore open(Path directory) throws IOException {
    Files.createDirectories(directory);
    return connect(directory.resolve(FILE).toString());
  }

  /** A store that lasts as long as it is open. */
  public static SqliteRecordStore inMemory() throws IOException {
    return connect(":memory:");
  }

  private static SqliteRecordStore connect(String file) throws IOException {
    try {
      Connection connection = DriverManager.getConnection("jdbc:sqlite:" + file);
      try (Statement statement = connection.createStatement()) {
        statement.execute("PRAGMA locking_mode=EXCLUSIVE");
        statement.execute("PRAGMA journal_mode=WAL");
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
      long revision;
      try (Statement statement = connection.createStatement();
          ResultSet stored = statement.executeQuery("SELECT revision FROM store")) {
        stored.next();
        revision = stored.getLong(1);
      }
      connection.setAutoCommit(false);
      return new SqliteRecordStore(connection, revision);
    } catch (SQLException e) {
      throw new IOException(
          "records in %s cannot be opened (is another coordinator using them?): %s".formatted(file, e.getMessage()), e);
    }
  }

  @Override
  public synchronized Optional<Versioned> get(String key) {
    List<Versioned> found = query("SELECT key, value, revision FROM records WHERE key = ?", key);
    return found.isEmpty() ? Optional.empty() : Optional.of(found.getFirst());
  }

  @Override
  public synchronized List<Versioned> list(String prefix) {
    // Keys are ASCII: the prefix followed by the highest code point bounds the range.
    return query("SELECT key, value, revision FROM records WHERE key >= ? AND key < ? || char(1114111) ORDER BY key",
        prefix, prefix);
  }

  private List<Versioned> query(String sql, String... parameters) {
    try {
      PreparedStatement statement = prepared(sql);
      for (int i = 0; i < parameters.length; i++) {
        statement.setString(i + 1, parameters[i]);
      }
      List<Versioned> found = new ArrayList<>();
      try (ResultSet rows = statement.executeQuery()) {
        while (rows.next()) {
          found.add(new Versioned(rows.getString(1), rows.getBytes(2), rows.getLong(3)));
        }
      }
      connection.commit();
      return found;
    } catch (SQLException e) {
      throw new StoreException("records cannot be read", e);
    }
  }

  @Override
  public long revision() {
    return durableRevision;
  }

  @Override
  public synchronized boolean commit(Transaction transaction) {
    try {
      long revision = apply(transaction);
      if (revision > 0) {
        connection.commit();
        durableRevision = revision;
      } else {
        connection.rollback();
      }
      return revision > 0;
    } catch (SQLException e) {
      try {
        connection.rollback();
      } catch (SQLException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw new StoreException("records cannot be written", e);
    }
  }

  /** @return the revision that wrote it; 0 if a comparison does not hold */
  private long apply(Transaction transaction) throws SQLException {
    for (Transaction.Comparison each : transaction.comparisons()) {
      if (revision(each.key()) != each.revision()) {
        return 0;
      }
    }
    long revision = nextRevision();
    for (Transaction.Write each : transaction.writes()) {
      write(each, revision);
    }
    return revision;
  }

  private long revision(String key) throws SQLException {
    PreparedStatement statement = prepared("SELECT revision FROM records WHERE key = ?");
    statement.setString(1, key);
    try (ResultSet rows = statement.executeQuery()) {
      return rows.next() ? rows.getLong(1) : 0;
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
    try {
      connection.close();
    } catch (SQLException e) {
      throw new StoreException("records cannot be closed", e);
    }
  }
}
