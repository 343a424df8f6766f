package dev.pageferry.ferry.command;

import dev.pageferry.common.packet.NetworkCard;
import dev.pageferry.common.units.Bandwidth;
import dev.pageferry.common.units.ByteSize;
import dev.pageferry.common.units.Durations;
import dev.pageferry.proto.cluster.v1.Codec;
import dev.pageferry.proto.cluster.v1.Disk;
import dev.pageferry.proto.cluster.v1.Ha;
import dev.pageferry.proto.cluster.v1.StallPolicy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Stack;
import java.util.regex.Pattern;
import picocli.CommandLine.IParameterConsumer;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;

/** Option values as operators write them. */
final class Converters {
  private Converters() {
  }

  /** A memory size in bytes, at least one. */
  static final class Size implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return positive(text, () -> ByteSize.parse(text));
    }
  }

  /** Bytes per second. */
  static final class Rate implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return positive(text, () -> Bandwidth.parse(text));
    }
  }

  /** A duration in whole milliseconds, at least one. */
  static final class Millis implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
      return positive(text, () -> Durations.parse(text).toMillis());
    }
  }

  /** What a machine runs in. */
  static final class Hypervisor implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
      if (!text.equals("builtin") && !text.equals("qemu")) {
        throw new TypeConversionException("'%s' is neither builtin nor qemu".formatted(text));
      }
      return text;
    }
  }

  /** What carries out a machine's instructions. */
  static final class Accelerator implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
      return switch (text) {
        case "auto", "kvm", "tcg" -> text;
        default -> throw new TypeConversionException("'%s' is not auto, kvm or tcg".formatted(text));
      };
    }
  }

  /** Whether a VM is restarted by itself. */
  static final class HaMode implements ITypeConverter<Ha.Name> {
    @Override
    public Ha.Name convert(String text) {
      return switch (text) {
        case "auto" -> Ha.Name.AUTO;
        case "on" -> Ha.Name.ON;
        case "off" -> Ha.Name.OFF;
        default -> throw new TypeConversionException("'%s' is not auto, on or off".formatted(text));
      };
    }
  }

  /** What boots a machine. */
  static final class Firmware implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
      return switch (text) {
        case "bios", "uefi" -> text;
        default -> throw new TypeConversionException("'%s' is not bios or uefi".formatted(text));
      };
    }
  }

  /** A count of at least one. */
  static final class Count implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      return Math.toIntExact(positive(text, () -> Integer.parseInt(text)));
    }
  }

  /** How long a certificate is valid, in days: at most a century, since dates in certificates end with the year 9999. */
  static final class Days implements ITypeConverter<Duration> {
    private static final int MOST = 36_500;

    @Override
    public Duration convert(String text) {
      int days = Math.toIntExact(positive(text, () -> Integer.parseInt(text)));
      if (days > MOST) {
        throw new TypeConversionException("'%s' is not 1 to %d days".formatted(text, MOST));
      }
      return Duration.ofDays(days);
    }
  }

  /** How a saved state is packed. */
  static final class StateCodec implements ITypeConverter<Codec.Name> {
    @Override
    public Codec.Name convert(String text) {
      return switch (text) {
        case "auto" -> Codec.Name.AUTO;
        case "none" -> Codec.Name.NONE;
        case "lz4" -> Codec.Name.LZ4;
        case "zstd" -> Codec.Name.ZSTD;
        default -> throw new TypeConversionException("'%s' is not none, lz4, zstd or auto".formatted(text));
      };
    }
  }

  /** How a disk is laid out. */
  static final class DiskFormat implements ITypeConverter<Disk.Format> {
    @Override
    public Disk.Format convert(String text) {
      return switch (text) {
        case "vhd" -> Disk.Format.VHD;
        case "raw" -> Disk.Format.RAW;
        case "qcow2" -> Disk.Format.QCOW2;
        default -> throw new TypeConversionException("'%s' is not vhd, raw or qcow2".formatted(text));
      };
    }
  }

  /** A network card, as an operator writes it. */
  static final class Card implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
      try {
        NetworkCard _ = NetworkCard.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(String.valueOf(e.getMessage()));
      }
      return text;
    }
  }

  /** The number of a virtual network. */
  static final class Vni implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String text) {
      try {
        return NetworkCard.parseVni(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(String.valueOf(e.getMessage()));
      }
    }
  }

  /** A duration in nanoseconds, at least a tenth of a millisecond. */
  static final class Interval implements ITypeConverter<Long> {
    private static final long LEAST_NANOS = 100_000;

    @Override
    public Long convert(String text) {
      long nanos;
      try {
        nanos = Durations.parse(text).toNanos();
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(String.valueOf(e.getMessage()));
      }
      if (nanos < LEAST_NANOS) {
        throw new TypeConversionException("'%s' is less than 100us".formatted(text));
      }
      return nanos;
    }
  }

  /** What to do when rounds no longer shrink the rest. */
  static final class OnStall implements ITypeConverter<StallPolicy.Name> {
    @Override
    public StallPolicy.Name convert(String text) {
      return switch (text) {
        case "throttle" -> StallPolicy.Name.THROTTLE;
        case "switch" -> StallPolicy.Name.SWITCH;
        case "abort" -> StallPolicy.Name.ABORT;
        default -> throw new TypeConversionException("'%s' is not throttle, switch or abort".formatted(text));
      };
    }
  }

  /**
   * Takes one {@code k=v} and those that follow it directly, so that both
   * {@code --program-arg a=1 --program-arg b=2} and {@code --program-arg a=1 b=2} do what they look
   * like. No VM name has a '=', so none is swallowed.
   */
  static final class KeyValues implements IParameterConsumer {
    private static final Pattern PAIR = Pattern.compile("[A-Za-z][A-Za-z0-9_-]*=.*");

    @Override
    public void consumeParameters(Stack<String> args, ArgSpec argument, CommandSpec command) {
      List<String> before = argument.getValue();
      List<String> pairs = new ArrayList<>(before);
      while (!args.isEmpty() && PAIR.matcher(args.peek()).matches()) {
        pairs.add(args.pop());
      }
      if (pairs.size() == before.size()) {
        throw new ParameterException(command.commandLine(),
            "'%s' for --program-arg is not KEY=VALUE".formatted(args.isEmpty() ? "" : args.peek()));
      }
      argument.setValue(pairs);
    }
  }

  /** A parser of some unit. */
  private interface Parser {
    long parse();
  }

  private static long positive(String text, Parser parser) {
    long value;
    try {
      value = parser.parse();
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'%s' is not a whole number".formatted(text));
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(String.valueOf(e.getMessage()));
    }
    if (value < 1) {
      throw new TypeConversionException("'%s' is less than the smallest possible, 1".formatted(text));
    }
    return value;
  }

  /** An id that can be sent in a header. */
  static final class RequestId implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
      if (!text.matches("[!-~]{1,128}")) {
        throw new TypeConversionException(
            "'%s' is not 1 to 128 printable ASCII characters without spaces".formatted(text));
      }
      return text;
    }
  }
}
