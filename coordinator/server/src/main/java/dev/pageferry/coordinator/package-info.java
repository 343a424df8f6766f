/** The coordinator: wiring. Uses all packages but cli and is used by none. */
@NullMarked
package dev.pageferry.coordinator;

import org.jspecify.annotations.NullMarked;
