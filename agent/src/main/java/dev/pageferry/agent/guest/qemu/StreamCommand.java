package dev.pageferry.agent.guest.qemu;

/** A command of a migration's stream, which is passed on as it came. */
@SuppressWarnings("ArrayRecordComponent") // neither compared nor changed
record StreamCommand(int number, byte[] data) {
}
