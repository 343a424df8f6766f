package dev.pageferry.ferry.view;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.Function;

/**
 * The only place that prints: data to stdout, in the form asked for, and everything else to stderr.
 */
public final class Output {
  /** How data is printed. */
  public enum Form {
    TABLE,
    JSON;

    /**
     * @throws IllegalArgumentException
     *           if the text is neither table nor json
     */
    public static Form parse(String text) {
      return switch (text) {
        case "table" -> TABLE;
        case "json" -> JSON;
        default -> throw new IllegalArgumentException("'%s' is neither table nor json".formatted(text));
      };
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private final PrintStream out;
  private final PrintStream err;
  private final Form form;
  private final Palette palette;
  private final boolean quiet;
  private final boolean verbose;

  public Output(PrintStream out, PrintStream err, Form form, Palette palette, boolean quiet, boolean verbose) {
    this.out = out;
    this.err = err;
    this.form = form;
    this.palette = palette;
    this.quiet = quiet;
    this.verbose = verbose;
  }

  public boolean isJson() {
    return form == Form.JSON;
  }

  boolean isQuiet() {
    return quiet;
  }

  /**
   * Prints the one document of a command: the message itself as JSON, or what the function makes of
   * it.
   */
  public <M extends MessageOrBuilder> void document(M message, Function<Palette, String> text) {
    if (isJson()) {
      out.println(json(JsonFormat.printer(), message));
    } else {
      out.print(text.apply(palette));
    }
    out.flush();
  }

  /** Prints one of several documents, on a line of its own. */
  public void documentLine(MessageOrBuilder message) {
    out.println(json(JsonFormat.printer().omittingInsignificantWhitespace(), message));
    out.flush();
  }

  /** Tells the operator something that is neither data nor an error. */
  public void message(String line) {
    if (!quiet) {
      err.println(line);
      err.flush();
    }
  }

  /** Tells the operator something that only one who asked for details wants to know. */
  public void detail(String line) {
    if (verbose) {
      err.println(line);
      err.flush();
    }
  }

  /** Prints one line whatever the text holds, because scripts show the last line of stderr. */
  public static void error(PrintStream err, String text) {
    err.println("ferry: " + oneLine(text));
    err.flush();
  }

  /** Text that draws over itself. */
  public void draw(String text) {
    err.print(text);
    err.flush();
  }

  /** The text with every run of white space and control characters made one space. */
  public static String oneLine(String text) {
    return text.replaceAll("[\\s\\p{Cntrl}]+", " ").strip();
  }

  private static String json(JsonFormat.Printer printer, MessageOrBuilder message) {
    try {
      return printer.alwaysPrintFieldsWithNoPresence().print(message);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("cannot be printed as JSON: " + message.getDescriptorForType().getFullName(), e);
    }
  }
}
