/** What this host is, and what its storage does, for whoever asks whether a cluster is fit to move VMs. No guest is touched. */
@NullMarked
package dev.pageferry.agent.inspection;

import org.jspecify.annotations.NullMarked;
