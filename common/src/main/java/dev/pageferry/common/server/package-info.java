/** A small HTTP endpoint for metrics and health, the same in every server. Knows nothing of what it shows. */
@NullMarked
package dev.pageferry.common.server;

import org.jspecify.annotations.NullMarked;
