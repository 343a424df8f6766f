package dev.pageferry.agent.guest;

import dev.pageferry.proto.agent.v1.VmSpec;

/**
 * A specification in which nothing is left to the host.
 *
 * @param acceleratorReason why a machine that was to have the best accelerator is emulated; empty: it is not, or was to be
 */
public record ResolvedSpec(VmSpec message, String acceleratorReason) {
}
