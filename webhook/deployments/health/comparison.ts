/**
 * Devices with the new image against the control group: how far each is from what it was before, and the difference of these
 * differences, so that neither devices that always were bad nor a bad day of the whole fleet count. The unit is the device: its
 * windows resemble each other, so the variance is that between devices (ratio estimator by clusters: Cochran, "Sampling Techniques", 6.3).
 */

/** Of one device and one signal. */
export interface Observation {
  treated: boolean;
  /** Mean of its windows before the deployment. */
  before: number;
  /** Of its windows since, each times its weight. */
  sum: number;
  /**
   * A window counts once for a device with the new image, and for one of the control group as often as devices with the image were
   * seen in it: both sides are then of the same hours of the day.
   */
  weight: number;
}

export interface Comparison {
  /** How much higher than without the new image. */
  difference: number;
  variance: number;
  treated: { devices: number; windows: number; level: number };
  control: { devices: number; level: number };
  /** How many of the treated the noise is expected to come from: a mean of few events is not normal. */
  effective: number;
}

/** Null while one side has fewer than two devices. */
export function compare(observations: Observation[]): Comparison | null {
  const seen = observations.filter((o) => o.weight > 0);
  const treated = summarize(seen.filter((o) => o.treated));
  const control = summarize(seen.filter((o) => !o.treated));
  if (!treated || !control) return null;
  // When nothing has happened yet to few devices, theirs is no measure of the noise: the control group's is the least there is.
  const least = control.spread * treated.concentration;
  return {
    difference: treated.change - control.change,
    variance: Math.max(treated.variance, least) + control.variance,
    treated: { devices: treated.devices, windows: treated.weight, level: treated.level },
    control: { devices: control.devices, level: control.level },
    effective: contributors([...treated.residuals, ...control.residuals], treated.devices),
  };
}

function summarize(group: Observation[]) {
  const devices = group.length;
  if (devices < 2) return null;
  const weight = total(group, (o) => o.weight);
  const changeOf = (o: Observation) => o.sum / o.weight - o.before;
  const change = total(group, (o) => o.weight * changeOf(o)) / weight;
  const residuals = group.map((o) => changeOf(o) - change);
  const corrected = devices / (devices - 1);
  return {
    devices,
    weight,
    change,
    level: total(group, (o) => o.sum) / weight,
    residuals,
    variance: (corrected * total(group, (o, i) => (o.weight * residuals[i]!) ** 2)) / weight ** 2,
    /** Of the change of one device. */
    spread: (corrected * total(group, (_, i) => residuals[i]! ** 2)) / devices,
    /** What is left of the variance of one device in the mean of them: 1 / devices when all weigh the same. */
    concentration: total(group, (o) => o.weight ** 2) / weight ** 2,
  };
}

/** The participation ratio of the residuals' squares, for as many devices of them: of 0s and a few equal ones, how many these are. */
function contributors(residuals: number[], devices: number): number {
  const [second, fourth] = [total(residuals, (r) => r ** 2), total(residuals, (r) => r ** 4)];
  return fourth === 0 ? 0 : ((second ** 2 / fourth) * devices) / residuals.length;
}

function total<T>(items: T[], of: (item: T, i: number) => number): number {
  return items.reduce((sum, item, i) => sum + of(item, i), 0);
}
