/** Whether a page can be read at the width that it has: as text, because it runs in the page. */
import type { Page } from 'playwright-core';

/** Text over text, and text or controls that stick out of the page, each in words; empty when there is none. */
const script = `(() => {
  const clipOf = (element) => {
    const box = { left: -1e9, top: -1e9, right: 1e9, bottom: 1e9, layer: '' };
    for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
      const style = getComputedStyle(at);
      // What floats above the page covers it on purpose; it is compared with itself only.
      if (!box.layer && /fixed|sticky/.test(style.position)) box.layer = at.className + at.tagName;
      if (style.overflowX === 'visible' && style.overflowY === 'visible' && style.clipPath === 'none') continue;
      const r = at.getBoundingClientRect();
      if (style.clipPath !== 'none' || style.overflowX !== 'visible') {
        box.left = Math.max(box.left, r.left);
        box.right = Math.min(box.right, r.right);
      }
      if (style.clipPath !== 'none' || style.overflowY !== 'visible') {
        box.top = Math.max(box.top, r.top);
        box.bottom = Math.min(box.bottom, r.bottom);
      }
    }
    return box;
  };
  const pieces = [];
  const walker = document.createTreeWalker(document.querySelector('dialog[open]') ?? document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.trim();
    const element = node.parentElement;
    if (!text || !element.checkVisibility({ visibilityProperty: true }) || element.closest('option, script, .unseen')) continue;
    const clip = clipOf(element);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects()) {
      const left = Math.max(r.left, clip.left);
      const right = Math.min(r.right, clip.right);
      const top = Math.max(r.top, clip.top);
      const bottom = Math.min(r.bottom, clip.bottom);
      // The height of a line is not that of its letters.
      const ink = (bottom - top) * 0.15;
      if (right - left > 1 && bottom - top > 4) pieces.push({ text, node, left, right, top: top + ink, bottom: bottom - ink, layer: clip.layer });
    }
  }
  const faults = new Set();
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    // The innermost are the cause.
    const wide = [...document.body.querySelectorAll('*')].filter((e) => Math.min(e.getBoundingClientRect().right, clipOf(e.parentElement).right) > width + 0.5);
    const cause = wide.filter((e) => !wide.some((other) => other !== e && e.contains(other)));
    const name = (e) => e.tagName.toLowerCase() + (e.getAttribute('class') ? '.' + e.getAttribute('class').replaceAll(' ', '.') : '');
    faults.add('the page is ' + document.documentElement.scrollWidth + ' px wide: ' + cause.map((e) => name(e.parentElement) + ' > ' + name(e)).join(', '));
  }
  for (const [i, one] of pieces.entries()) {
    if (one.right > width + 1 || one.left < -1) faults.add('sticks out: ' + one.text.slice(0, 40));
    for (const other of pieces.slice(i + 1)) {
      if (one.node === other.node || one.layer !== other.layer) continue;
      const x = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const y = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (x > 1 && y > 1) faults.add('over each other: ' + one.text.slice(0, 40) + ' / ' + other.text.slice(0, 40));
    }
  }
  return [...faults];
})()`;

export const findLayoutFaults = (page: Page): Promise<string[]> => page.evaluate<string[]>(script);
