/**
 * Disks of guests on storage that hosts share: files of two formats, fixed VHD and raw, and devices that are passed through;
 * who may write them, by leases and locks beside them; and this host's own lease, without which its guests neither run nor
 * write. Knows nothing of guests, of migration or of the coordinator.
 */
@NullMarked
package dev.pageferry.agent.disk;

import org.jspecify.annotations.NullMarked;
