package dev.pageferry.ferry.view;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The only place that prints: data to stdout, in the form asked for, and everything else to stderr.
 */
public final class Output {
  /** How data is printed. */
  public enum Form {
    TABLE,
    /** A table with all columns. */
    WIDE,
    JSON,
    YAML,
    /** Names only, one a line: for scripts. */
    NAME;

    /**
     * @throws IllegalArgumentException
     *           if the text is not one of them
     */
    public static Form parse(String text) {
      return Arrays.stream(values()).filter(form -> form.toString().equals(text)).findFirst()
          .orElseThrow(
              () -> new IllegalArgumentException("'%s' is not one of table, wide, json, yaml, name".formatted(text)));
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

  /** Whether people read it, and not a program. */
  public boolean isForPeople() {
    return form == Form.TABLE || form == Form.WIDE;
  }

  boolean isWide() {
    return form == Form.WIDE;
  }

  boolean isQuiet() {
    return quiet;
  }

  /** Prints the one document of a command as rows. */
  public void rows(Message message, Table table) {
    document(message, look -> table.text(look, form == Form.WIDE));
  }

  /**
   * Prints the one document of a command: the message itself for programs, or what the function makes of
   * it.
   *
   * @throws UncheckedIOException if it cannot be written
   */
  public void document(Message message, Function<Palette, String> text) {
    out.print(switch (form) {
      case TABLE, WIDE -> text.apply(palette);
      case JSON -> json(JsonFormat.printer(), message) + "\n";
      case YAML -> Yaml.of(json(JsonFormat.printer(), message));
      case NAME -> Identity.of(message).stream().map(each -> each + "\n").collect(Collectors.joining());
    });
    checkPrinted();
  }

  /** Prints one of several documents: JSON on a line of its own, YAML as a document of a stream. */
  public void oneOfSeveral(Message message, Table table) {
    switch (form) {
      case JSON -> documentLine(message);
      case YAML -> {
        out.print("---\n");
        rows(message, table);
      }
      case TABLE, WIDE, NAME -> rows(message, table);
    }
  }

  /** Prints one of several documents, on a line of its own. */
  public void documentLine(MessageOrBuilder message) {
    out.println(json(JsonFormat.printer().omittingInsignificantWhitespace(), message));
    checkPrinted();
  }

  /** A full disk, or nobody who reads any more: a script must not take that for an answer. */
  private void checkPrinted() {
    if (out.checkError()) {
      throw new UncheckedIOException("stdout cannot be written", new IOException("a write failed"));
    }
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

  /** Data that takes the place of what was on the terminal. */
  public void clear() {
    out.print("\u001b[H\u001b[2J");
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
