/**
 * Switches hosts off by fence agents: the programs of Linux clusters that talk to power supplies, management controllers and the like. Owns
 * by what each host is switched off, and what came of it. Whether a host is to be switched off is not decided here.
 */
@NullMarked
package dev.pageferry.coordinator.fencing;

import org.jspecify.annotations.NullMarked;
