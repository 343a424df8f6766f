package dev.pageferry.agent.guest.qemu;

/**
 * A block of a machine's memory.
 *
 * @param name that QEMU gives it
 * @param length bytes, a multiple of the page size
 */
record MachineBlock(String name, long length) {
}
