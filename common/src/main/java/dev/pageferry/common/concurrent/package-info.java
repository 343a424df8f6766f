/**
 * Threads, waiting and time as ports, so that the same code runs on the machine's own threads and, in the simulation, on
 * one baton. Knows nothing of what is run.
 */
@NullMarked
package dev.pageferry.common.concurrent;

import org.jspecify.annotations.NullMarked;
