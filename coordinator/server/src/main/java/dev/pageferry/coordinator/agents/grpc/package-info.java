/** gRPC behind the port to agents. */
@NullMarked
package dev.pageferry.coordinator.agents.grpc;

import org.jspecify.annotations.NullMarked;
