/** What every server shows of itself, and the form in which all of them show durations. Only servers may use it: the command has no Micrometer. */
@NullMarked
package dev.pageferry.common.metrics;

import org.jspecify.annotations.NullMarked;
