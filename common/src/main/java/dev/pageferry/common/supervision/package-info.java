/** What the service manager that started this process is told of it: sd_notify(3). Where nobody asks to be told nothing happens. */
@NullMarked
package dev.pageferry.common.supervision;

import org.jspecify.annotations.NullMarked;
