/** Shapes that stand for the same everywhere, as paths for `Glyph`. */
export const glyphs = {
  bell: 'M2 9h8M3 9V5.5a3 3 0 0 1 6 0V9M5.2 11h1.6M6 1.2v1.3',
  check: 'M1.5 6.5 4.5 9.5 10.5 2.5',
  cross: 'M2 2l8 8M10 2l-8 8',
  dots: 'M2 6h.01M6 6h.01M10 6h.01',
  sliders: 'M1 3.5h10M1 8.5h10M4 2v3M8 7v3',
  warning: 'M6 1.5 11 10.5H1zM6 5v2.5M6 9h.01',
} as const;
