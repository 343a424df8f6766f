package dev.pageferry.agent.migration;

import dev.pageferry.proto.migration.v1.Hello;

/** Decides about a source that says hello. */
public interface IncomingDirectory {
  /**
   * Takes the migration over, or refuses it. The token is consumed either way once it was right.
   *
   * @throws MigrationFailure with the reason that the source is told
   */
  void admit(Hello hello, DestinationLink link) throws MigrationFailure;
}
