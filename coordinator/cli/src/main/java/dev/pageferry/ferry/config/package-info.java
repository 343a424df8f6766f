/**
 * The configuration file of the command: where it is, its settings, and its contexts, which are clusters by name. Knows neither
 * connections nor sub-commands.
 */
@NullMarked
package dev.pageferry.ferry.config;

import org.jspecify.annotations.NullMarked;
