/** A small HTTP endpoint for metrics and health, the same in every server. Knows nothing of what it shows. */
@NullMarked
package dev.pageferry.common.http;

import org.jspecify.annotations.NullMarked;
