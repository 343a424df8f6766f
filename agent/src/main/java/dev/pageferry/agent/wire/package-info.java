/** Frames of the migration protocol as bytes: headers, page frames, control frames (docs/WIRE_PROTOCOL.md). Knows nothing of sockets or of what frames mean. */
@NullMarked
package dev.pageferry.agent.wire;

import org.jspecify.annotations.NullMarked;
