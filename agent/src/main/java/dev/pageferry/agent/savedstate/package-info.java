/**
 * The saved-state file (docs/SAVED_STATE.md): its format, its writer and its reader. A file is whole under its name or is not
 * there. Knows nothing of guests, of migration or of the coordinator: beside pages it keeps bytes that others give it.
 */
@NullMarked
package dev.pageferry.agent.savedstate;

import org.jspecify.annotations.NullMarked;
