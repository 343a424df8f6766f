package dev.pageferry.agent.guest.qemu;

/**
 * Whole pages of a block.
 *
 * @param block its place among the machine's blocks
 * @param offset of the first page, bytes
 * @param length bytes, a multiple of the page size
 * @param bytes without zero pages at their end
 */
@SuppressWarnings("ArrayRecordComponent") // neither compared nor changed
record BlockContent(int block, long offset, long length, byte[] bytes) {
}
