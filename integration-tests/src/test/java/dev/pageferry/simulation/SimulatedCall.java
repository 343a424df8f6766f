package dev.pageferry.simulation;

import io.grpc.stub.ServerCallStreamObserver;

/** Where a server's method answers. What it may ask of a connection beside that has nothing to do here. */
abstract class SimulatedCall<A> extends ServerCallStreamObserver<A> {
  @Override
  public boolean isCancelled() {
    return false;
  }

  @Override
  public void setOnCancelHandler(Runnable handler) {
    // Nobody hangs up.
  }

  @Override
  public void setCompression(String compression) {
    // Nothing is packed.
  }

  @Override
  public boolean isReady() {
    return true;
  }

  @Override
  public void setOnReadyHandler(Runnable handler) {
    // It always is.
  }

  @Override
  public void request(int count) {
    // There is one.
  }

  @Override
  public void setMessageCompression(boolean enable) {
    // Nothing is packed.
  }

  @Override
  public void disableAutoInboundFlowControl() {
    // There is none.
  }
}
