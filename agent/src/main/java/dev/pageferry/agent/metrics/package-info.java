/** Micrometer meters. */
@NullMarked
package dev.pageferry.agent.metrics;

import org.jspecify.annotations.NullMarked;
