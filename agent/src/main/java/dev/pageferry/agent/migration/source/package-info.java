/** The source of a migration: one class per stage, convergence, rate limit. Never meets the destination's code. */
@NullMarked
package dev.pageferry.agent.migration.source;

import org.jspecify.annotations.NullMarked;
