package dev.pageferry.agent.rpc;

import dev.pageferry.proto.registry.v1.HeartbeatRequest;
import dev.pageferry.proto.registry.v1.HeartbeatResponse;
import dev.pageferry.proto.registry.v1.RegisterRequest;
import dev.pageferry.proto.registry.v1.RegisterResponse;
import java.io.Serial;

/** The coordinator's registry of hosts, asked by this one. Each call blocks, and is one bounded attempt. */
public interface RegistryClient {
  RegisterResponse register(RegisterRequest request) throws NoAnswerException;

  HeartbeatResponse heartbeat(HeartbeatRequest request) throws NoAnswerException;

  /** The coordinator did not answer; whether it heard is not known. */
  final class NoAnswerException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    public NoAnswerException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
