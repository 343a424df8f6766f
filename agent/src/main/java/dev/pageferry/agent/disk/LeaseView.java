package dev.pageferry.agent.disk;

/**
 * Who opened a disk last.
 *
 * @param vm the VM's id
 * @param epoch of the VM's ownership then
 */
public record LeaseView(String vm, long epoch, String host) {
}
