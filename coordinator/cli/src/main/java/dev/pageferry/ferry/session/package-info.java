/**
 * What a command works with while it runs: the connection to the coordinator, changes that can be repeated, and what the
 * process gives it. Knows no sub-command.
 */
@NullMarked
package dev.pageferry.ferry.session;

import org.jspecify.annotations.NullMarked;
