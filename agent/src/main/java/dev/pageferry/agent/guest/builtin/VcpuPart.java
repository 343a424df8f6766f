package dev.pageferry.agent.guest.builtin;

import dev.pageferry.common.page.PageRange;

/**
 * What one vCPU's program has of its VM.
 *
 * @param vcpu number of the vCPU in [0, vcpus)
 * @param vcpus of the VM
 * @param share the pages that only this vCPU writes
 * @param workingSet the beginning of its share, at least one page
 * @param seed different for each vCPU of a VM
 */
record VcpuPart(int vcpu, int vcpus, PageRange share, PageRange workingSet, long seed) {
}
