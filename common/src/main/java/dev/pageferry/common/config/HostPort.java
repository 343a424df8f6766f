package dev.pageferry.common.config;

import java.util.regex.Pattern;

/**
 * Where something listens or is reached.
 *
 * @param host a name, an IPv4 address or an IPv6 address without brackets
 * @param port 0 (any free port, only where it makes sense) to 65535
 */
public record HostPort(String host, int port) {
  /** Of names (RFC 1123, and the underscores that some use) and of addresses, a zone included. */
  private static final Pattern NAME_OR_ADDRESS = Pattern.compile("[A-Za-z0-9._:%-]+");

  private static final Pattern LOOPBACK = Pattern.compile("127(\\.\\d{1,3}){3}|::1|localhost");

  /** @throws IllegalArgumentException if the text is not HOST:PORT or [IPv6]:PORT */
  public static HostPort parse(String text) {
    int colon = text.lastIndexOf(':');
    String host = colon < 0 ? "" : text.substring(0, colon);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    if (bracketed) {
      host = host.substring(1, host.length() - 1);
    }
    if (host.isEmpty() || (!bracketed && host.contains(":")) || !NAME_OR_ADDRESS.matcher(host).matches()) {
      throw new IllegalArgumentException("address '%s' is not HOST:PORT".formatted(text));
    }
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      if (port < 0 || port > 65535) {
        throw new IllegalArgumentException("port %d in '%s' is not 0 to 65535".formatted(port, text));
      }
      return new HostPort(host, port);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("port in '%s' is not a number".formatted(text), e);
    }
  }

  /** True where listening on this address means listening on every interface. */
  public boolean isWildcard() {
    return host.equals("0.0.0.0") || host.equals("::");
  }

  /** True where nobody on another machine reaches this address: of 127.0.0.0/8, ::1, or {@code localhost}. */
  public boolean isLoopback() {
    return LOOPBACK.matcher(host).matches();
  }

  @Override
  public String toString() {
    return host.contains(":") ? "[" + host + "]:" + port : host + ":" + port;
  }
}
