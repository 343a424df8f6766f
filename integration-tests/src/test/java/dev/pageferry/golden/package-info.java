/** Makes the golden resources of a version: run by {@code scripts/record-previous} against that version's programs. */
@NullMarked
package dev.pageferry.golden;

import org.jspecify.annotations.NullMarked;
