/** gRPC of the agent: the service that the coordinator calls, the client that calls the coordinator, messages to domain objects and back. */
@NullMarked
package dev.pageferry.agent.rpc;

import org.jspecify.annotations.NullMarked;
