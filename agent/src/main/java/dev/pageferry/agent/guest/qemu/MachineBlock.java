package dev.pageferry.agent.guest.qemu;

/**
 * A block of a machine's memory.
 *
 * @param name that QEMU gives it
 * @param length a multiple of the page size
 * @param content of that length; empty for RAM, which is moved as pages
 */
@SuppressWarnings("ArrayRecordComponent") // filled in place while it is received
record MachineBlock(String name, long length, byte[] content) {
}
