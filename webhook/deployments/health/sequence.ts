/**
 * A confidence sequence: an interval that holds at all looks together, so that one may look as often as one likes and stop when one likes.
 * The normal mixture of Robbins (1970), as in Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic
 * confidence sequences" (Annals of Statistics 2021), section 3.2; as a test it is the mixture SPRT of Johari, Pekelis, Walsh (2015).
 *
 * For a mean of variance V its information is 1/V, and mean × information a Brownian motion in it (for estimates of one effect that
 * grow more precise: Scharfstein, Tsiatis, Robins, JASA 1997). That only the variance is known, and from the data, makes it asymptotic:
 * Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of Statistics 2024).
 */

/** The mixture that makes it narrowest when the information is `information` (Howard et al., section 3.5). */
export function tuneMixture(information: number, alpha: number): number {
  const log = -2 * Math.log(alpha);
  return information / (log + Math.log1p(log));
}

/** Half the width of the interval around a mean of that variance. `mixture` must be the same at each look; `alpha`: both sides together. */
export function halfWidth(variance: number, mixture: number, alpha: number): number {
  const information = 1 / variance;
  const sum = information + mixture;
  return Math.sqrt(sum * Math.log(sum / (mixture * alpha * alpha))) / information;
}
