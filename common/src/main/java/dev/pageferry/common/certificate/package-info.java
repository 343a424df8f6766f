/**
 * A small certificate authority for clusters whose operators have none. Owns how certificates of members are made and written
 * to files; knows neither connections nor who asks. Only the operator's command, and tests, use it: it needs Bouncy Castle.
 */
@NullMarked
package dev.pageferry.common.certificate;

import org.jspecify.annotations.NullMarked;
