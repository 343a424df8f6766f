/**
 * The sub-commands: their options, what they ask the coordinator for, and the exit code that says how it ended. They print
 * through {@code view} and know no gRPC but the stub that they are handed.
 */
@NullMarked
package dev.pageferry.ferry.command;

import org.jspecify.annotations.NullMarked;
