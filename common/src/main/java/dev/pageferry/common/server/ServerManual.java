package dev.pageferry.common.server;

import dev.pageferry.common.manual.ManualPage;
import java.io.IOException;
import java.lang.reflect.Constructor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import picocli.CommandLine;

/** Writes the page of a server for section 8 of the manual. Run by the build of packages. */
final class ServerManual {
  private ServerManual() {
  }

  /** @param args the class of the server, a file with the sections behind its options, the page, and the version */
  public static void main(String[] args) throws IOException, ReflectiveOperationException {
    Constructor<?> server = Class.forName(args[0]).getDeclaredConstructor();
    server.setAccessible(true);
    Path page = Path.of(args[2]);
    Files.createDirectories(Objects.requireNonNull(page.getParent()));
    Files.writeString(page,
        ManualPage.of(new CommandLine(server.newInstance()), 8, args[3]) + Files.readString(Path.of(args[1])));
  }
}
