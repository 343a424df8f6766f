package dev.pageferry.ferry.command;

import java.util.ArrayList;
import java.util.List;

/** What completion offers for options of few values, as operators write them: the types behind are those of messages. */
public final class Candidates {
  private Candidates() {
  }

  /** Ways to pack a saved state. */
  static final class Codecs extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Codecs() {
      super(List.of("none", "lz4", "zstd", "auto"));
    }
  }

  /** Layouts of disks. */
  static final class DiskFormats extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    DiskFormats() {
      super(List.of("vhd", "raw", "qcow2"));
    }
  }

  /** What to do when rounds no longer shrink. */
  static final class StallPolicies extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    StallPolicies() {
      super(List.of("throttle", "switch", "abort"));
    }
  }

  /** Whether a VM is restarted by itself. */
  static final class HaModes extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    HaModes() {
      super(List.of("auto", "on", "off"));
    }
  }

  /** Forms of output. */
  public static final class Forms extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Forms() {
      super(List.of("table", "wide", "json", "yaml", "name"));
    }
  }
}
