/** What scenario tests stand on: real processes, a client of the cluster's API, failpoints held from outside. */
@NullMarked
package dev.pageferry.support;

import org.jspecify.annotations.NullMarked;
