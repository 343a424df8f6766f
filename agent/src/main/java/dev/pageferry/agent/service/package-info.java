/** What a guest's firmware does with frames: ARP, ICMP echo, UDP echo and a key-value store whose tables live in guest RAM. */
@NullMarked
package dev.pageferry.agent.service;

import org.jspecify.annotations.NullMarked;
