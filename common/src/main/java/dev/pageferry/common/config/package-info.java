/** Settings of a program from flags, environment and a YAML file, with all problems reported together. */
@NullMarked
package dev.pageferry.common.config;

import org.jspecify.annotations.NullMarked;
