/** What both sides of a migration share: ports to links, ownership and listeners, failures, reports. Knows neither side. */
@NullMarked
package dev.pageferry.agent.migration;

import org.jspecify.annotations.NullMarked;
