/** Guest memory: the page store, the dirty log, checksums and the host's budget. Knows nothing of who writes or who reads. */
@NullMarked
package dev.pageferry.agent.memory;

import org.jspecify.annotations.NullMarked;
