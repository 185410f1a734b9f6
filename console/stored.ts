/** A choice that this browser keeps. Storage may be forbidden; it then lasts as long as the page. */
export function stored(key: string, value?: string): string | null {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
