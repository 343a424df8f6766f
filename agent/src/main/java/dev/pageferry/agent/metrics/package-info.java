/** Micrometer meters and the HTTP endpoint that shows them. */
@NullMarked
package dev.pageferry.agent.metrics;

import org.jspecify.annotations.NullMarked;
