/**
 * The {@code ferry} command: what operators and scripts type. It talks to the coordinator through the cluster protocol only,
 * and knows nothing of how the coordinator works inside. This package wires the others, and none uses it.
 */
@NullMarked
package dev.pageferry.ferry;

import org.jspecify.annotations.NullMarked;
