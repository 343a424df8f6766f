/**
 * Who belongs to the cluster, beside what certificates say: admitted hosts, tokens to join by, members whose names were taken
 * away; and the log of what was asked by whom. Owns their records; knows no methods and no connections.
 */
@NullMarked
package dev.pageferry.coordinator.access;

import org.jspecify.annotations.NullMarked;
