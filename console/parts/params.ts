/** `?page=3` → 3; anything else → 1. */
export const pageOf = (value: string | string[] | undefined): number => {
  const page = Number(value);
  return Number.isInteger(page) && page > 0 ? page : 1;
};

/** A search parameter as one text. */
export const textOf = (value: string | string[] | undefined): string =>
  (Array.isArray(value) ? value[0] : value) ?? '';
