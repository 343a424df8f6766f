/** What the gRPC servers of coordinator and agent have in common. The command goes without it. */
@NullMarked
package dev.pageferry.common.rpc;

import org.jspecify.annotations.NullMarked;
