/** The destination of a migration: one class per stage, page placement. Never meets the source's code. */
@NullMarked
package dev.pageferry.agent.migration.destination;

import org.jspecify.annotations.NullMarked;
