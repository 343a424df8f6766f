/** Who is who: hosts, virtual machines, migrations and the epochs of ownership. Knows nothing of their behaviour. */
@NullMarked
package dev.pageferry.common.identity;

import org.jspecify.annotations.NullMarked;
