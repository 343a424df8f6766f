/** The stages of a migration and the names of the ways it can fail. */
@NullMarked
package dev.pageferry.common.stage;

import org.jspecify.annotations.NullMarked;
