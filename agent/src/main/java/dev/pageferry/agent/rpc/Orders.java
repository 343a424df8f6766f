package dev.pageferry.agent.rpc;

import io.grpc.MethodDescriptor;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import java.util.Set;

/** Which methods of this agent are for its coordinator alone: all but those that tell whether it is healthy, and what it serves. */
final class Orders {
  private static final Set<String> FOR_ALL_MEMBERS = Set.of(HealthGrpc.SERVICE_NAME, ServerReflectionGrpc.SERVICE_NAME);

  private Orders() {
  }

  static boolean contain(MethodDescriptor<?, ?> method) {
    String service = method.getServiceName();
    return service == null || !FOR_ALL_MEMBERS.contains(service);
  }
}
