// The keyboard. Pages mark their parts and need no code: `data-row` is a row's link (j, k), `data-item` the row,
// `data-key="a"` a control that a letter presses, in the focused row first, else on the page unless it belongs to a row.

class Keys {
  search = $state(false);
  help = $state(false);

  start(): () => void {
    const down = (event: KeyboardEvent) => this.#down(event);
    addEventListener('keydown', down);
    return () => removeEventListener('keydown', down);
  }
  #down(event: KeyboardEvent) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const target = event.target as HTMLElement;
    if (event.key === 'Escape' && !document.querySelector('dialog[open]')) return target.blur();
    if (target.closest('input, textarea, select, dialog[open], [contenteditable]') || document.querySelector('dialog[open]')) return;
    if (event.key === '/') this.search = true;
    else if (event.key === '?') this.help = true;
    else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (/^[a-z]$/.test(event.key)) {
      if (!press(event.key)) return;
    } else return;
    event.preventDefault();
  }
}
export const keys = new Keys();

const rows = () => [...document.querySelectorAll<HTMLElement>('main [data-row]')];

/** Moves the focus to the next or previous row; from nowhere, to the first. */
export function move(step: 1 | -1) {
  const all = rows();
  const item = document.activeElement?.closest('[data-item]');
  const at = all.findIndex((row) => row === document.activeElement || (item !== null && item !== undefined && item.contains(row)));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

/** Focus after a row went away: the one that took its place. */
export function focusRow(index: number) {
  const all = rows();
  all[Math.min(index, all.length - 1)]?.focus();
}
export const rowIndex = () => rows().findIndex((row) => row.closest('[data-item]')?.contains(document.activeElement));

function press(key: string): boolean {
  const item = document.activeElement?.closest('[data-item]');
  const control = item?.querySelector<HTMLElement>(`[data-key="${key}"]`) ??
    [...document.querySelectorAll<HTMLElement>(`[data-key="${key}"]`)].find((found) => !found.closest('[data-item]'));
  if (control) {
    control.click();
    return true;
  }
  // An act that belongs to a row needs a row: the key shows which one it would be, the next press does it.
  const first = document.querySelector(`[data-item] [data-key="${key}"]`)?.closest('[data-item]')?.querySelector<HTMLElement>('[data-row]');
  first?.focus();
  return Boolean(first);
}
