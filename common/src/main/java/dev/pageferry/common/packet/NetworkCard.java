package dev.pageferry.common.packet;

/**
 * A network card of a VM.
 *
 * @param vni the virtual network that it is on, {@value #MIN_VNI} to {@value #MAX_VNI} (24 bits, RFC 7348)
 * @param address that the guest answers on
 */
public record NetworkCard(MacAddress mac, int vni, Ipv4Address address) {
  public static final int MIN_VNI = 1;
  public static final int MAX_VNI = 0xFF_FFFF;
  public static final int DEFAULT_VNI = 1;

  public NetworkCard {
    if (!mac.isStation()) {
      throw new IllegalArgumentException("%s is not the address of one card: its group bit is set, or it is zero"
          .formatted(mac));
    }
    checkVni(vni);
    if (!address.isHost()) {
      throw new IllegalArgumentException("%s is not the address of one host".formatted(address));
    }
  }

  /** @throws IllegalArgumentException if there is no such network */
  public static int checkVni(int vni) {
    if (vni < MIN_VNI || vni > MAX_VNI) {
      throw new IllegalArgumentException("VNI %d is not between %d and %d".formatted(vni, MIN_VNI, MAX_VNI));
    }
    return vni;
  }

  /** @throws IllegalArgumentException if the text is not the number of a network */
  public static int parseVni(String text) {
    try {
      return checkVni(Integer.parseInt(text));
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("VNI '%s' is not a number from %d to %d".formatted(text, MIN_VNI, MAX_VNI), e);
    }
  }

  /**
   * Reads {@code MAC[@VNI][,ip=ADDRESS]}. A card that is given no address has 10 and the last three bytes of its MAC.
   *
   * @throws IllegalArgumentException naming what is wrong
   */
  public static NetworkCard parse(String text) {
    int comma = text.indexOf(',');
    String place = comma < 0 ? text : text.substring(0, comma);
    int at = place.indexOf('@');
    MacAddress mac = MacAddress.parse(at < 0 ? place : place.substring(0, at));
    int vni = at < 0 ? DEFAULT_VNI : parseVni(place.substring(at + 1));
    if (comma < 0) {
      return new NetworkCard(mac, vni, defaultAddress(mac));
    }
    String option = text.substring(comma + 1);
    if (!option.startsWith("ip=")) {
      throw new IllegalArgumentException("'%s' of network card %s is not ip=ADDRESS".formatted(option, mac));
    }
    return new NetworkCard(mac, vni, Ipv4Address.parse(option.substring("ip=".length())));
  }

  private static Ipv4Address defaultAddress(MacAddress mac) {
    return new Ipv4Address(10 << 24 | (int) (mac.bits() & 0xFF_FFFF));
  }

  /** {@code MAC@VNI}. */
  @Override
  public String toString() {
    return mac + "@" + vni;
  }
}
