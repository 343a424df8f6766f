/**
 * The {@code ferry} command: what operators and scripts type. It talks to the coordinator through
 * the cluster protocol only, and knows nothing of how the coordinator works inside. Data goes to
 * stdout, everything else to stderr.
 */
@NullMarked
package dev.pageferry.coordinator.cli;

import org.jspecify.annotations.NullMarked;
