package dev.pageferry.common.failure;

import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.NoRouteToHostException;
import java.net.UnknownHostException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.NotLinkException;
import java.nio.file.ReadOnlyFileSystemException;

/**
 * Failures of files and sockets as clauses that can be read. The messages of many are a path alone, or the kernel's word for
 * an error number alone, or nothing: they leave open what happened, or to what.
 */
public final class IoFailure {
  private IoFailure() {
  }

  /** What happened, on one line, without a full stop. */
  public static String sentence(Throwable failure) {
    return switch (failure) {
      case NoSuchFileException e -> file(e, "does not exist");
      case AccessDeniedException e -> file(e, "may not be accessed by this user");
      case FileAlreadyExistsException e -> file(e, "exists already");
      case NotDirectoryException e -> file(e, "is not a directory");
      case DirectoryNotEmptyException e -> file(e, "is a directory that is not empty");
      case NotLinkException e -> file(e, "is not a link");
      case FileSystemLoopException e -> file(e, "is in a loop of links");
      case FileSystemException e -> file(e, "cannot be used");
      case ReadOnlyFileSystemException e -> "the file system is read-only";
      case FileNotFoundException e -> "a file cannot be opened: " + message(e, "it is not there");
      case UnknownHostException e -> "no address is known for the name " + message(e, "(none)");
      case UnresolvedAddressException e -> "no address is known for that name";
      case NoRouteToHostException e -> "there is no route to that host";
      case BindException e -> bind(message(e, ""));
      case ClosedChannelException e -> "it was closed meanwhile";
      case EOFException e -> "it ends too early" + (e.getMessage() == null ? "" : ": " + e.getMessage());
      case UncheckedIOException e when e.getCause() != null -> sentence(e.getCause());
      case IOException e -> message(e, "input or output failed (%s)".formatted(e.getClass().getSimpleName()));
      default -> message(failure, failure.getClass().getSimpleName());
    };
  }

  /** Why an address cannot be listened on: which, by which option, and what to do. */
  public static IOException listening(String what, Object address, String option, Throwable cause) {
    Throwable root = cause;
    while (root.getCause() != null && !isBinding(root)) {
      root = root.getCause();
    }
    return new IOException("cannot listen for %s on %s: %s; end what listens there, or choose another address with %s"
        .formatted(what, address, isBinding(root) ? bind(message(root, "")) : sentence(root), option), cause);
  }

  /** Netty's native transports have exceptions of their own for that, with the name of the call before the kernel's words. */
  private static boolean isBinding(Throwable failure) {
    return failure instanceof BindException || message(failure, "").contains("Address already in use")
        || message(failure, "").contains("Cannot assign requested address");
  }

  private static String bind(String message) {
    if (message.contains("Address already in use")) {
      return "the address is in use already";
    }
    if (message.contains("Cannot assign requested address")) {
      return "it is not an address of this machine";
    }
    return message.contains("Permission denied")
        ? "this user may not listen on that port"
        : "it cannot be bound (%s)".formatted(message);
  }

  private static String file(FileSystemException e, String otherwise) {
    String file = e.getFile() == null ? "a file" : e.getFile();
    String reason = e.getReason();
    // With its path a message of our own is a sentence already.
    return reason == null || reason.isBlank() ? "%s %s".formatted(file, otherwise) : "%s: %s".formatted(file, reason);
  }

  private static String message(Throwable failure, String otherwise) {
    String message = failure.getMessage();
    return message == null || message.isBlank() ? otherwise : message;
  }
}
