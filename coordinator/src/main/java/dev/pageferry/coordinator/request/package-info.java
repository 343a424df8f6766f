/** Why an operator's request cannot be done, in terms that every part of the coordinator shares. */
@NullMarked
package dev.pageferry.coordinator.request;

import org.jspecify.annotations.NullMarked;
