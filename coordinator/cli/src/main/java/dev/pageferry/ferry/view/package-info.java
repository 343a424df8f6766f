/**
 * What people and scripts see: tables, reports, progress and JSON. Data goes to stdout, everything else to stderr. Knows
 * messages, and neither the connection nor the sub-commands.
 */
@NullMarked
package dev.pageferry.ferry.view;

import org.jspecify.annotations.NullMarked;
