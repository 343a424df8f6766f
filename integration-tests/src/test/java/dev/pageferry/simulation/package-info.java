/**
 * Real code of many hosts and the coordinator in one JVM, on one baton: time, threads, links and chance are simulated, so
 * that a seed decides everything that happens.
 */
@NullMarked
package dev.pageferry.simulation;

import org.jspecify.annotations.NullMarked;
