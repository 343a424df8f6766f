/** gRPC behind the port to agents. */
@NullMarked
package dev.pageferry.coordinator.agentlink;

import org.jspecify.annotations.NullMarked;
