package dev.pageferry.agent.guest;

/**
 * The contents of a VM at one moment.
 *
 * @param steps done at that moment
 * @param memoryDigest SHA-256 of RAM in address order, lower-case hex
 * @param registersDigest SHA-256 of the state beside RAM, lower-case hex
 */
public record VmDigest(long steps, String memoryDigest, String registersDigest) {
}
