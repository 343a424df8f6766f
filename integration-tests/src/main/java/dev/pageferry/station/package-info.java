/** A station on a network of VMs that is no VM: a tunnel end with an address of its own, and a client of the guests' key-value store. */
@NullMarked
package dev.pageferry.station;

import org.jspecify.annotations.NullMarked;
