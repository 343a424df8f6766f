package dev.pageferry.coordinator.inventory;

/** What an operator's word that a host is off has come to. */
public enum Confirmation {
  CONFIRMED,
  /** It is heard, or may be in a moment, by a coordinator that has just started or woken. */
  STILL_HEARD,
  /** It is not the host's incarnation, or its record is being written right now. */
  CHANGED
}
