/**
 * Whether the hosts of the cluster have what moving VMs needs: looks at them, tries their storage, measures the links between them, and
 * judges. What is judged is data, and each judgement a function of it.
 */
@NullMarked
package dev.pageferry.coordinator.validation;

import org.jspecify.annotations.NullMarked;
