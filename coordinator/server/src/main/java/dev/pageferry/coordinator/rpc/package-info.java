/** The services that operators and agents call. */
@NullMarked
package dev.pageferry.coordinator.rpc;

import org.jspecify.annotations.NullMarked;
