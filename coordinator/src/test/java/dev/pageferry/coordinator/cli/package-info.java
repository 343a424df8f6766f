@NullMarked
package dev.pageferry.coordinator.cli;

import org.jspecify.annotations.NullMarked;
