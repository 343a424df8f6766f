/** Compression of runs of pages. Knows nothing of where they come from or go to. */
@NullMarked
package dev.pageferry.agent.codec;

import org.jspecify.annotations.NullMarked;
