package dev.pageferry.agent.guest;

/**
 * The state of a paused guest beside its RAM. Only a machine of that kind knows what the bytes mean.
 *
 * @param kind of machine
 * @param version of what the bytes are, by that kind's own count
 * @param blob not copied, and not to be changed
 */
public record GuestState(String kind, int version, byte[] blob) {
}
