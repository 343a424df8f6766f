package dev.pageferry.agent.guest.builtin;

/**
 * Ranks 1 to n with probability proportional to rank^-theta, by rejection-inversion (Hörmann and Derflinger, ACM TOMACS
 * 6:3, 1996): constant time, no table. {@link StrictMath} only, so that every machine draws the same ranks.
 */
final class ZipfDistribution {
  private final long n;
  private final double theta;
  private final double hIntegralOfFirst;
  private final double hIntegralOfLast;
  private final double shortcut;

  ZipfDistribution(long n, double theta) {
    this.n = n;
    this.theta = theta;
    this.hIntegralOfFirst = hIntegral(1.5) - 1;
    this.hIntegralOfLast = hIntegral(n + 0.5);
    this.shortcut = 2 - hIntegralInverse(hIntegral(2.5) - h(2));
  }

  /** The rank for a random number; further numbers, where one is rejected, are derived from it. */
  long sample(long random) {
    long state = random;
    while (true) {
      double u = hIntegralOfLast + SplitMix64.unit(SplitMix64.mix(state)) * (hIntegralOfFirst - hIntegralOfLast);
      double x = hIntegralInverse(u);
      long rank = Math.clamp((long) (x + 0.5), 1, n);
      if (rank - x <= shortcut || u >= hIntegral(rank + 0.5) - h(rank)) {
        return rank;
      }
      state += SplitMix64.GAMMA;
    }
  }

  private double h(double x) {
    return StrictMath.exp(-theta * StrictMath.log(x));
  }

  /** An antiderivative of {@link #h} that is defined at theta = 1 too. */
  private double hIntegral(double x) {
    double logX = StrictMath.log(x);
    return expm1OverX((1 - theta) * logX) * logX;
  }

  private double hIntegralInverse(double x) {
    double t = Math.max(-1, x * (1 - theta));
    return StrictMath.exp(log1pOverX(t) * x);
  }

  private static double log1pOverX(double x) {
    return Math.abs(x) > 1e-8 ? StrictMath.log1p(x) / x : 1 - x * (0.5 - x * (1.0 / 3 - 0.25 * x));
  }

  private static double expm1OverX(double x) {
    return Math.abs(x) > 1e-8 ? StrictMath.expm1(x) / x : 1 + x * 0.5 * (1 + x * (1.0 / 3) * (1 + 0.25 * x));
  }
}
