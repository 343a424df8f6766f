/** Reads what the journal program left on a disk. Knows the format of a record, and nothing of the run or of its programs. */
@NullMarked
package dev.pageferry.journal;

import org.jspecify.annotations.NullMarked;
