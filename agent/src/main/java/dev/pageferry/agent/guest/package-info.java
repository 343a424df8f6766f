/** The seam between what moves machines and the machines: guests and what a host needs of them. Knows no kind of machine, and nothing of migration. */
@NullMarked
package dev.pageferry.agent.guest;

import org.jspecify.annotations.NullMarked;
