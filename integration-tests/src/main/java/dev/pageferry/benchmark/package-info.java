/**
 * Measures Pageferry next to what else this machine can do: one TCP stream of iperf3, a migration
 * by QEMU. Drives the programs from outside, through their commands and JSON, and must not know
 * their classes; only the benchmarks of single operations, run by JMH, call them.
 */
@NullMarked
package dev.pageferry.benchmark;

import org.jspecify.annotations.NullMarked;
