/**
 * Who is at the other end: members of a cluster know each other by X.509 certificates, on every TCP port, both ways. Owns the
 * identity in a certificate, the three files that a program has its own from, and what TLS is set up with; knows neither
 * which service is asked nor what for: that is decided by who is asked.
 */
@NullMarked
package dev.pageferry.common.tls;

import org.jspecify.annotations.NullMarked;
