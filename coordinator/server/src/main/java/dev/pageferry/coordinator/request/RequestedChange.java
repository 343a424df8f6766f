package dev.pageferry.coordinator.request;

/**
 * A change that an operator asked for.
 *
 * @param requestId empty: it was asked for without an id, and is not remembered
 * @param operationId names what the change makes, a new VM for example; the same however often it is begun
 * @param vmId of the VM that had the name in the request when it was first begun; empty: none
 * @param vmEpoch of that VM then; 0: not known
 * @param isRepeated whether it was begun before, and nobody knows how far that came: the coordinator ended meanwhile, or
 *     something unforeseen happened
 */
public record RequestedChange(String requestId, String operationId, String vmId, long vmEpoch, boolean isRepeated) {
}
