/** The stages of a migration and the names of the ways it can fail. */
@NullMarked
package dev.pageferry.common.migration;

import org.jspecify.annotations.NullMarked;
