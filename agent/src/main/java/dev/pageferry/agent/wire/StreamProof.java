package dev.pageferry.agent.wire;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** How a data stream shows that it belongs to a control stream: HMAC-SHA256 (RFC 2104) under the session key. */
public final class StreamProof {
  private StreamProof() {
  }

  /** HMAC-SHA256(key, "stream" and the stream's number as four bytes, little-endian). */
  public static byte[] of(byte[] sessionKey, int stream) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(sessionKey, "HmacSHA256"));
      mac.update("stream".getBytes(StandardCharsets.US_ASCII));
      return mac.doFinal(ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(0, stream).array());
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has HmacSHA256", e);
    }
  }

  /** Compares in constant time. */
  public static boolean matches(byte[] sessionKey, int stream, byte[] proof) {
    return MessageDigest.isEqual(of(sessionKey, stream), proof);
  }
}
