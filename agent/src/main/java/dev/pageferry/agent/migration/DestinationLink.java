package dev.pageferry.agent.migration;

/** The destination's end of a migration. */
public interface DestinationLink extends ControlLink {
  /** Lets the source open that many data streams, each of which proves that it knows the key. */
  void acceptStreams(int count, byte[] sessionKey, PageSink sink);

  /** TCP payload received so far, control stream included. */
  long bytesReceived();
}
