@NullMarked
package dev.pageferry.ferry;

import org.jspecify.annotations.NullMarked;
