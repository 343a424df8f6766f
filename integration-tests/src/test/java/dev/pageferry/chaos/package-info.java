/**
 * Trouble on real processes: a seed draws what befalls the servers, the network and the storage of a lab, and what operators do
 * meanwhile; in the end a checker says what was promised, and what was kept (docs/TESTING.md, "Chaos").
 */
@NullMarked
package dev.pageferry.chaos;

import org.jspecify.annotations.NullMarked;
