/**
 * Connections between being accepted and showing who they are: how many of them a port has, and which goes where there are too many.
 * Knows neither what they are to show nor who looks at it.
 */
@NullMarked
package dev.pageferry.common.accept;

import org.jspecify.annotations.NullMarked;
