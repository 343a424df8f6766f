/** After records went back in time: rows put right from what hosts report. */
@NullMarked
package dev.pageferry.coordinator.repair;

import org.jspecify.annotations.NullMarked;
